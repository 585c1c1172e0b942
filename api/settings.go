package api

import "github.com/musterhq/muster/cluster"

// Settings are those of the whole cluster, with what holds where nobody set one.
type Settings struct {
	Policy  cluster.Policy     `json:"policy"`
	Queue   cluster.QueueOrder `json:"queue"`
	Weights map[string]float64 `json:"weights"` // by stack
	Stale   bool               `json:"stale,omitempty"`
}

// Configure changes some of them.
type Configure struct {
	cluster.SettingsChange
	Request string `json:"request,omitempty"`
}
