// Package compose turns Compose files into the services of a stack.
//
// It owns what every field of the Compose specification means to Muster:
// honoured, honoured with a warning, or refused. It may not know clusters,
// nodes or engines: it reads files and the environment it is given and returns
// values of package cluster. No field is dropped in silence; the tables in
// fields_*.go say what happens to each one, the loader follows them, and
// docs/compose.md is held against them by a test.
//
// Start with Load (what is read, in which order), then walk.go (the verdict on
// every field that a file uses) and convert.go (one service to its spec).
package compose
