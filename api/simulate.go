package api

import "github.com/musterhq/muster/cluster"

// Simulate asks what would follow if all of this happened now.
type Simulate struct {
	Kill   []string         `json:"kill,omitempty"`  // nodes, by name or ID
	Drain  []string         `json:"drain,omitempty"` // likewise
	Add    []SimulatedHosts `json:"add,omitempty"`
	Deploy *SimulatedStack  `json:"deploy,omitempty"`
}

// SimulatedHosts are equal nodes that join.
type SimulatedHosts struct {
	Count  int               `json:"count"`
	CPUs   float64           `json:"cpus"`
	Memory int64             `json:"memory"` // bytes
	Labels map[string]string `json:"labels,omitempty"`
}

// SimulatedStack is a stack that is deployed.
type SimulatedStack struct {
	Stack    string                `json:"stack"`
	Services []NamedSpec           `json:"services"`
	Networks []cluster.NetworkSpec `json:"networks,omitempty"`
}

// Simulation is the cluster as it would be.
type Simulation struct {
	Changes []SlotChange  `json:"changes"`
	Pending []PendingSlot `json:"pending"`
	Victims []Victim      `json:"victims,omitempty"`
	Nodes   []HostLoad    `json:"nodes"`
	// Survival is how much more the cluster would survive then.
	Survival Survival `json:"survival"`
	Stale    bool     `json:"stale"`
}

// Kinds of a SlotChange.
const (
	SlotStarts   = "start"
	SlotMoves    = "move"
	SlotReplaced = "replace" // by a new generation, on the same node or another
	SlotStops    = "stop"
)

// SlotChange is what becomes of a slot.
type SlotChange struct {
	Service string `json:"service"`
	Slot    int    `json:"slot"`
	Kind    string `json:"kind"`
	From    string `json:"from,omitempty"` // node names
	To      string `json:"to,omitempty"`
}

// PendingSlot is a slot that would have no place.
type PendingSlot struct {
	Service string `json:"service"`
	Slot    int    `json:"slot"`
	Reason  string `json:"reason"`
}

// Victim is a slot whose task is stopped for one of a higher priority.
type Victim struct {
	Service  string `json:"service"`
	Slot     int    `json:"slot"`
	Node     string `json:"node"`     // name
	By       string `json:"by"`       // service
	Priority int    `json:"priority"` // of By
}

// HostLoad is what a node would have reserved.
type HostLoad struct {
	Name           string  `json:"name"`
	State          string  `json:"state"`
	Tasks          int     `json:"tasks"`
	CPUs           float64 `json:"cpus"`
	CPUReserved    float64 `json:"cpu_reserved"`
	Memory         int64   `json:"memory"`          // bytes
	MemoryReserved int64   `json:"memory_reserved"` // bytes
}

// Survival is how many hosts a cluster can lose.
type Survival struct {
	// Hosts may die together, whichever they are, and every task that is not
	// bound to its host finds a place again.
	Hosts int `json:"hosts"`
	// Exact: all sets of hosts were tried; else those of the fullest ones.
	Exact bool `json:"exact"`
	// Critical are one host more, whose tasks do not all find a place.
	Critical []string `json:"critical,omitempty"`
	// Quorum is how many voters may die before nothing can be changed.
	Quorum int `json:"quorum"`
}
