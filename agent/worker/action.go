package worker

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// ActionKind is something to do with the engine.
type ActionKind string

// Action kinds.
const (
	Fetch  ActionKind = "fetch"  // get an image that the engine does not have
	Create ActionKind = "create" // make the task's container and start it
	Start  ActionKind = "start"  // start the task's container that is there
	Stop   ActionKind = "stop"   // stop a container
	Remove ActionKind = "remove" // stop a container that runs, and remove it
)

// Action is one thing to do, and why.
type Action struct {
	Kind      ActionKind
	Task      cluster.TaskID // "" when it concerns no assigned task
	Container string         // ID; "" for Create and Fetch
	Image     string         // for Fetch: the digest, or the reference of what has none
	Grace     time.Duration  // for Stop, and Remove of a container that runs
	Reason    string         // for people
	// Assignment is the task's; nil when Task is "".
	Assignment *Assignment
	// Networks are for Create: those of the task, in the order of its links.
	Networks []cluster.Network
}

// Key names what the action works on: no two actions of one key are ever under
// way together.
func (a Action) Key() string {
	switch {
	case a.Kind == Fetch:
		return imageKey(a.Image)
	case a.Task != "":
		return taskKey(a.Task)
	}
	return containerKey(a.Container)
}

func imageKey(digest string) string    { return "image " + digest }
func taskKey(id cluster.TaskID) string { return "task " + string(id) }
func containerKey(id string) string    { return "container " + id }
