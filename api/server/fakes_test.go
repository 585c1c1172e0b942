package server

import (
	"context"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// noState is the State of a worker.
type noState struct{}

func (noState) View() (state.View, bool) { return state.View{}, false }

func (noState) Confirm(context.Context) error {
	return api.Errorf(api.CodeUnavailable, "not a voter")
}

func (noState) Propose(context.Context, string, state.Body) (state.Result, error) {
	return state.Result{}, api.Errorf(api.CodeUnavailable, "not a voter")
}

func (noState) Watch() (<-chan struct{}, func()) { return nil, func() {} }

// nodesOf are the members that a node was told of.
type nodesOf struct {
	members []api.Member
	news    api.Feed
}

func (n nodesOf) Members() []api.Member  { return n.members }
func (nodesOf) LeaderID() cluster.NodeID { return "" }

func (nodesOf) Leaderless() time.Duration { return 0 }

func (n nodesOf) News() api.Feed { return n.news }
