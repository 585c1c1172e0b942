package api

// Why is why a task is where it is, or nowhere.
type Why struct {
	Task Task `json:"task"`
	// Kept is what was written down when the task was given its node: the score,
	// and who came second. It is "" for one that has none.
	Kept string `json:"kept"`
	// Now is what would be decided as things are; null for a task that is not
	// wanted any more, and for those of a service that are like another.
	Now   *Placing `json:"now"`
	Stale bool     `json:"stale"`
}

// ServiceWhy is why the tasks of a service are where they are.
type ServiceWhy struct {
	Service string `json:"service"`
	Problem string `json:"problem,omitempty"` // why it is not decided on at all
	Tasks   []Why  `json:"tasks"`             // those that wait first
	Stale   bool   `json:"stale"`
}

// Placing is where a task could be.
type Placing struct {
	// Able is how many nodes can take the task; the best are in Candidates, the
	// first of all first, and the one where it is.
	Able       int            `json:"able"`
	Candidates []Candidate    `json:"candidates"`
	Refused    []RefusedNodes `json:"refused"`
	// Proposals are the smallest changes that would let it fit, the best first.
	Proposals []Proposal `json:"proposals"`
	// Invalid is why the service's spec cannot be read.
	Invalid string `json:"invalid,omitempty"`
}

// Candidate is a node that can take a task.
type Candidate struct {
	Rank  int    `json:"rank"` // from 1
	Node  string `json:"node"` // name
	Here  bool   `json:"here"` // the task is there
	Score Score  `json:"score"`
	// LostBy is the part by which it comes after the first: failures, crowded, spread,
	// service, cost, tasks, or chance where nothing differs; "" for the first.
	LostBy string `json:"lost_by"`
	Lost   string `json:"lost"` // for people
}

// Score is what nodes are compared by, in this order; less is better.
type Score struct {
	Policy  string        `json:"policy"`
	Failed  int           `json:"failed"`  // times lately, where that is often
	Crowded bool          `json:"crowded"` // its CPU is promised or used more than one and a half times
	Spread  []SpreadCount `json:"spread"`
	Service int           `json:"service"` // the service's tasks there; 0 where the policy does not look
	// Near is where the services are that the task is to be near to: "node", "zone",
	// or "none" of them here; "" where it is to be near to none.
	Near string     `json:"near"`
	Cost []CostTerm `json:"cost"` // their sum counts, less the affinity and with what is to be fetched
	// Affinity is the sum of the weights that the node matches, in hundredths.
	Affinity int `json:"affinity"`
	// Fetch is what is added to the cost because the node lacks the image.
	Fetch float64 `json:"fetch"`
	Tasks int     `json:"tasks"` // of all services
}

// SpreadCount is how many of the service's tasks share the value of a label.
type SpreadCount struct {
	Label string `json:"label"`
	Value string `json:"value"`
	Tasks int    `json:"tasks"`
}

// CostTerm is a part of the policy's cost; 1 is a whole node's.
type CostTerm struct {
	Term string  `json:"term"`
	Cost float64 `json:"cost"`
}

// RefusedNodes are nodes that cannot take a task for the same reason.
type RefusedNodes struct {
	Reason string   `json:"reason"`
	Count  int      `json:"count"`
	Nodes  []string `json:"nodes"` // names of some
}

// Proposal is what would let a task fit, all of its changes together.
type Proposal struct {
	Text    string           `json:"text"`
	Changes []ProposedChange `json:"changes"`
}

// ProposedChange is one thing that would be different.
type ProposedChange struct {
	// Kind is uncordon, room, port, max-per-node, taint, constraint, pool,
	// partition, apart, size or recover.
	Kind string `json:"kind"`
	Node string `json:"node"` // name
	Text string `json:"text"`
	// CPUs and Memory are how much more room the node needs.
	CPUs   float64 `json:"cpus,omitempty"`
	Memory int64   `json:"memory,omitempty"` // bytes
}
