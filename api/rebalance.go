package api

import "github.com/musterhq/muster/cluster"

// Rebalance asks which tasks would be better on other nodes (POST /v1/rebalance);
// nothing moves.
type Rebalance struct {
	Services []string `json:"services,omitempty"` // empty: all
	// Pack empties hosts, in place of evening out the load.
	Pack bool `json:"pack,omitempty"`
	// Stateful has tasks with volumes and binds move, too: their data does not.
	Stateful bool `json:"stateful,omitempty"`
}

// RebalancePlan is the answer.
type RebalancePlan struct {
	Moves []PlannedMove `json:"moves"`
	// Left are services that nothing of may move now, and why.
	Left  []LeftService `json:"left"`
	Stale bool          `json:"stale,omitempty"`
}

// PlannedMove is a task that would be better on another node.
type PlannedMove struct {
	Task    string `json:"task"`
	Service string `json:"service"`
	Slot    int    `json:"slot"`
	From    string `json:"from"` // name
	FromID  string `json:"from_id"`
	To      string `json:"to"`
	ToID    string `json:"to_id"`
	// Gain is by how much the objective falls (docs/placement.md).
	Gain float64 `json:"gain"`
	Why  string  `json:"why"`
}

// LeftService is a service whose tasks stay where they are.
type LeftService struct {
	Service string `json:"service"`
	Reason  string `json:"reason"`
}

// Moves asks tasks to leave their nodes (POST /v1/moves), and ends the earlier
// wishes about other tasks of their services.
type Moves struct {
	Moves []PlannedMove `json:"moves,omitempty"`
	// Services are others whose wishes end.
	Services []string     `json:"services,omitempty"`
	Note     cluster.Note `json:"note,omitzero"`
	Request  string       `json:"request,omitempty"`
}

// Moving is what became of the wishes; the moves follow.
type Moving struct {
	Index   uint64        `json:"index"`
	Refused []RefusedMove `json:"refused"` // what they rested on has changed
}

// RefusedMove is a task that is not asked to leave.
type RefusedMove struct {
	Task   string `json:"task"`
	Reason string `json:"reason"`
}
