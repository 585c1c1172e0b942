package api

import "time"

// Network is a line of `network ls`.
type Network struct {
	ID       string `json:"id"` // stack/network
	Stack    string `json:"stack"`
	Number   uint32 `json:"number"`
	Subnet   string `json:"subnet"`
	Gateway  string `json:"gateway"`
	Shared   bool   `json:"shared"`
	Internal bool   `json:"internal"`
	// Undeclared: its stack has it no more; it goes with the last generation of a
	// service that is in it.
	Undeclared bool     `json:"undeclared,omitempty"`
	Services   []string `json:"services"` // that are in it, with a generation that is kept
	Tasks      int      `json:"tasks"`    // that have an address in it
	Free       int      `json:"free"`     // addresses for more of them
}

// NetworkDetail is everything about a network.
type NetworkDetail struct {
	Network
	Created   time.Time        `json:"created"`
	Members   []NetworkMember  `json:"members"`
	Addresses []NetworkAddress `json:"addresses"`
}

// NetworkMember is a service that is in a network.
type NetworkMember struct {
	Service string   `json:"service"`
	Address string   `json:"address,omitempty"` // its own, for its life
	Aliases []string `json:"aliases,omitempty"`
}

// NetworkAddress is a task's in a network.
type NetworkAddress struct {
	Address string `json:"address"`
	Task    string `json:"task"` // ID
	Service string `json:"service"`
	Slot    int    `json:"slot"`
	Node    string `json:"node"` // name
}

// PlannedNetwork is what a deploy does to a network.
type PlannedNetwork struct {
	Network string `json:"network"`
	Action  string `json:"action"` // created, changed, removed, kept (until nothing is in it)
	Message string `json:"message"`
}
