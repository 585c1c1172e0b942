package api

import "github.com/musterhq/muster/cluster"

// Plan is what a deploy would change, and what would follow from it if nothing
// fails and nothing else happens meanwhile.
type Plan struct {
	Stack    string           `json:"stack"`
	Index    uint64           `json:"index"` // of the state that it was made from
	Services []PlannedService `json:"services"`
	// Networks are those that the deploy declares, and NetworkChanges what it does to
	// networks.
	Networks       []cluster.NetworkSpec `json:"networks,omitempty"`
	NetworkChanges []PlannedNetwork      `json:"network_changes,omitempty"`
	Basis          cluster.Basis         `json:"basis"` // for Deploy
	Forecast
}

// PlannedService is a service that the deploy names, or removes.
type PlannedService struct {
	Service    string               `json:"service"`
	Action     string               `json:"action"` // as in ServiceChange
	Generation uint64               `json:"generation"`
	Old        *cluster.ServiceSpec `json:"old,omitempty"`
	New        *cluster.ServiceSpec `json:"new,omitempty"`
}

// Forecast is what becomes of a stack's tasks.
type Forecast struct {
	Tasks  []PlannedTask  `json:"tasks"`
	Images []PlannedImage `json:"images"` // that nodes have not, as far as is known
	Lowest []LowestPoint  `json:"lowest"`
	// Victims are of all stacks.
	Victims []Victim `json:"victims,omitempty"`
	Ends    bool     `json:"ends"` // false: there is no end in sight
}

// PlannedTask is one change of the tasks.
type PlannedTask struct {
	Service string `json:"service"`
	Slot    int    `json:"slot"`
	Action  string `json:"action"`           // start, replace, move, stop, pending
	Node    string `json:"node,omitempty"`   // name
	From    string `json:"from,omitempty"`   // name of the node of the task that it replaces
	Reason  string `json:"reason,omitempty"` // why it is pending
}

// PlannedImage is an image that is to be fetched.
type PlannedImage struct {
	Image string   `json:"image"`
	Nodes []string `json:"nodes"`          // names
	Size  int64    `json:"size,omitempty"` // bytes; 0: no node said
	// Registry: its registry is asked first. Holders are names of ready nodes that
	// have it, which are asked then, the first five.
	Registry bool     `json:"registry"`
	Holders  []string `json:"holders"`
}

// MaxHolders is how many are named.
const MaxHolders = 5

// LowestPoint is how many tasks of a service are ready when it has fewest.
type LowestPoint struct {
	Service string `json:"service"`
	Ready   int    `json:"ready"`
	Before  int    `json:"before"`
	Desired int    `json:"desired"` // in the end
}
