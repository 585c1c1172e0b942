package health

import "time"

// Config holds the detector's times. The zero value of a field means its
// default.
type Config struct {
	// HeartbeatEvery is how often an agent sends a heartbeat (500 ms).
	HeartbeatEvery time.Duration
	// SuspectAfter is the silence after which a node is probed (1 s). A lost
	// connection or gossip's word shortens it to one missed heartbeat.
	SuspectAfter time.Duration
	// ProbeTimeout bounds one try to dial a host (500 ms).
	ProbeTimeout time.Duration
	// ProbeTries is how often one prober tries (2).
	ProbeTries int
	// Probers is how many nodes besides the leader dial a suspect (3).
	Probers int
	// ReprobeEvery is the least time between two rounds of probes (1 s).
	ReprobeEvery time.Duration
	// ConnectGrace is how long a new leader waits for a node to connect
	// before it dials it (100 ms).
	ConnectGrace time.Duration
	// ReconnectGrace is how long agents may take to find a new leader, or one
	// that had stalled, before their living hosts count as away (3 s).
	ReconnectGrace time.Duration
	// AgentTimeout is how long a living host may be without its agent before
	// it counts as down (60 s).
	AgentTimeout time.Duration
	// NodeTimeout is the silence after which even a loss of more than half of
	// the nodes is believed (10 s).
	NodeTimeout time.Duration
	// FlapCount returns from down within FlapWindow quarantine a node
	// (3 in 5 min), first for QuarantineMin and twice as long each further
	// time, up to QuarantineMax (30 s, 10 min).
	FlapCount     int
	FlapWindow    time.Duration
	QuarantineMin time.Duration
	QuarantineMax time.Duration
}

// withDefaults fills in the fields that are zero.
func (c Config) withDefaults() Config {
	duration := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	count := func(n *int, def int) {
		if *n <= 0 {
			*n = def
		}
	}
	duration(&c.HeartbeatEvery, 500*time.Millisecond)
	duration(&c.SuspectAfter, time.Second)
	duration(&c.ProbeTimeout, 500*time.Millisecond)
	count(&c.ProbeTries, 2)
	count(&c.Probers, 3)
	duration(&c.ReprobeEvery, time.Second)
	duration(&c.ConnectGrace, 100*time.Millisecond)
	duration(&c.ReconnectGrace, 3*time.Second)
	duration(&c.AgentTimeout, time.Minute)
	duration(&c.NodeTimeout, 10*time.Second)
	count(&c.FlapCount, 3)
	duration(&c.FlapWindow, 5*time.Minute)
	duration(&c.QuarantineMin, 30*time.Second)
	duration(&c.QuarantineMax, 10*time.Minute)
	return c
}

// roundTimeout is when a round of probes is judged without the probers that
// have not reported: their tries, and one heartbeat for the way.
func (c Config) roundTimeout() time.Duration {
	return time.Duration(c.ProbeTries)*c.ProbeTimeout + c.HeartbeatEvery
}
