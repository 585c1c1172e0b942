// Package placement decides where tasks run.
//
// It owns the filters (may this node take the task, and if not, why), the
// scores (which of the nodes that may is best, and from which parts that
// follows) and the explanation that people get for a task without a node. It
// may not know which tasks should exist (cluster/rollout) or how they get
// there: it reads a Snapshot and a list of Requests and returns a Plan. Equal
// input gives an equal plan, whatever the order of the nodes.
//
// # Adding a filter
//
// Write a check and add it to the filters table in filter.go: a check returns
// the zero refusal or says in people's words what is in the way. Mark it
// lasting if its answer cannot change while a plan is made. Everything else,
// the explanation included, follows. Say in remedy.go what would have to change
// for a node to pass it.
//
// Start with Place, then the filters table, then score.
package placement
