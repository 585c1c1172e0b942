package state

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// Code classifies why a command was refused.
type Code string

// Codes of refusal.
const (
	CodeInvalid  Code = "invalid"
	CodeNotFound Code = "not_found"
	CodeConflict Code = "conflict" // clashes with what is there
	CodeExpired  Code = "expired"  // token or request is too old
)

// Error is a command's refusal; nothing of the command took effect.
type Error struct {
	Code    Code   `cbor:"1,keyasint"`
	Message string `cbor:"2,keyasint"`
}

func (e *Error) Error() string { return e.Message }

// Result is what applying a command gave.
type Result struct {
	Err      *Error          `cbor:"1,keyasint,omitempty"`
	Refused  []Refusal       `cbor:"2,keyasint,omitempty"`
	Services []ServiceChange `cbor:"3,keyasint,omitempty"`

	Index   uint64   `cbor:"4,keyasint"`
	Changes []Change `cbor:"-"`
}

// Refusal is a part of a Reconcile that did not hold any more.
type Refusal struct {
	Task   cluster.TaskID `cbor:"1,keyasint"`
	Reason string         `cbor:"2,keyasint"`
}

// ServiceChange says what a deploy did to one service.
type ServiceChange struct {
	Service    cluster.ServiceID `cbor:"1,keyasint"`
	Action     string            `cbor:"2,keyasint"` // created, updated, scaled, unchanged, removed
	Generation uint64            `cbor:"3,keyasint"`
}

// Topic names a kind of object that changed.
type Topic uint8

// Topics of change.
const (
	TopicCluster Topic = iota + 1 // identity, tokens, sealed values
	TopicNode
	TopicService
	TopicTask
	TopicNetwork
)

// Change marks an object as dirty. Readers take a fresh View.
type Change struct {
	Topic Topic
	Key   string         // the object's ID
	Node  cluster.NodeID // the node it concerns, if any
}

// Event is a line of the cluster's history.
type Event struct {
	Index   uint64         `cbor:"1,keyasint" json:"index"`
	Seq     int            `cbor:"2,keyasint" json:"seq"` // within the index
	At      time.Time      `cbor:"3,keyasint" json:"at"`
	Type    string         `cbor:"4,keyasint" json:"type"`   // node, service, task, image, network, cluster
	Action  string         `cbor:"5,keyasint" json:"action"` // created, running, lost, ...
	Object  string         `cbor:"6,keyasint" json:"object"` // ID
	Service string         `cbor:"7,keyasint,omitempty" json:"service,omitempty"`
	Node    cluster.NodeID `cbor:"8,keyasint,omitempty" json:"node,omitempty"`
	Message string         `cbor:"9,keyasint,omitempty" json:"message,omitempty"`
	// Count and First are set on an event of a container that was restarted: how
	// often it came, and when for the first time. It has taken the place of those.
	Count int       `cbor:"10,keyasint,omitempty" json:"count,omitempty" since:"2"`
	First time.Time `cbor:"11,keyasint,omitempty" json:"first,omitzero" since:"2"`
}
