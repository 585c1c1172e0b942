package api

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// RecordingFormat is the version of Recording that this binary writes and reads.
const RecordingFormat = 1

// Recording is a cluster at a moment, as far as decisions rest on it. It holds no
// secret: of what containers are made from there is the image only, and nothing of
// keys, tokens, logins, addresses, or what people and programs wrote.
type Recording struct {
	Format   int               `json:"format"`
	Made     time.Time         `json:"made"`
	Nodes    []cluster.Node    `json:"nodes"`
	Services []cluster.Service `json:"services"`
	Tasks    []cluster.Task    `json:"tasks"`
	Settings cluster.Settings  `json:"settings,omitzero"`
	// Quarantine names nodes that take no new task until then.
	Quarantine map[cluster.NodeID]time.Time `json:"quarantine,omitempty"`
	// Hosts and Slots are what was measured; empty where no leader told.
	Hosts []RecordedHost `json:"hosts,omitempty"`
	Slots []RecordedSlot `json:"slots,omitempty"`
	// Images are those of services that nodes said that they have.
	Images map[cluster.NodeID]HeldImages `json:"images,omitempty"`
	Stale  bool                          `json:"stale"`
}

// RecordedHost is what a node was measured to use.
type RecordedHost struct {
	Node  cluster.NodeID    `json:"node"`
	At    time.Time         `json:"at"`
	Used  cluster.Resources `json:"used"`  // by the whole host
	Other cluster.Resources `json:"other"` // what is not ours is likely to need
}

// RecordedSlot is what the task of a slot is likely to need, by what was measured.
type RecordedSlot struct {
	Service cluster.ServiceID `json:"service"`
	Slot    int               `json:"slot"`
	Node    cluster.NodeID    `json:"node,omitempty"` // of a global service
	Demand  cluster.Resources `json:"demand"`
}
