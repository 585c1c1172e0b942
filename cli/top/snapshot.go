package top

import (
	"time"

	"github.com/musterhq/muster/api"
)

// Snapshot is the cluster at one moment. Its JSON names are a contract.
type Snapshot struct {
	At       time.Time     `json:"at"`
	Status   api.Status    `json:"status"`
	Nodes    []api.Node    `json:"nodes"`
	Services []api.Service `json:"services"`
	Tasks    []Task        `json:"tasks"`
	Events   []api.Event   `json:"events"` // the newest last
}

// Task is a task with what its container uses; null where nobody measured.
type Task struct {
	api.Task
	CPUUsed    *float64 `json:"cpu_used"`    // cores
	MemoryUsed *int64   `json:"memory_used"` // bytes
}

// Measured joins tasks with what is known of their use.
func Measured(tasks []api.Task, usage []api.TaskUsage) []Task {
	used := make(map[string]api.TaskUsage, len(usage))
	for _, u := range usage {
		used[u.Task] = u
	}
	out := make([]Task, len(tasks))
	for i, t := range tasks {
		out[i].Task = t
		if u, ok := used[t.ID]; ok {
			out[i].CPUUsed, out[i].MemoryUsed = u.CPUUsed, &u.MemoryUsed
		}
	}
	return out
}
