package controller

import (
	"context"
	"log/slog"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/health"
	"github.com/musterhq/muster/cluster/state"
)

// Store is the replicated log as the leader uses it.
type Store interface {
	View() state.View
	Propose(ctx context.Context, c state.Command) (state.Result, error)
	Barrier(ctx context.Context) error
	Watch() Watcher
}

// Watcher is a level-triggered wake-up with what became dirty.
type Watcher interface {
	C() <-chan struct{}
	// Changes returns what changed since the last call; all means that
	// everything may have.
	Changes() (list []state.Change, all bool)
	Close()
}

// Prober finds out whether a host is alive.
type Prober interface {
	// Dial tries a host from here.
	Dial(ctx context.Context, address string, timeout time.Duration) health.Outcome
	// Ask has another node dial the host; an error means that it could not be asked.
	Ask(ctx context.Context, by cluster.NodeID, address string, tries int) (health.Outcome, error)
}

// Config is what a Controller needs.
type Config struct {
	Self   cluster.NodeID
	Store  Store
	Prober Prober
	// Evidence is what this node knows of the others when its term begins.
	Evidence func() health.Evidence
	Health   health.Config
	Voters   Voters
	Keys     Keys
	// KeyPeriod is after how long a gossip key is replaced; 0: never.
	KeyPeriod time.Duration
	Logger    *slog.Logger
}
