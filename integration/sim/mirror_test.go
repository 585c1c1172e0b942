package sim

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/server"
	"github.com/musterhq/muster/cluster"
)

// netips are compared as they are.
var netips = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

// TestFeedGivesWhatTheServerGives compares the mirrored feed with the server's
// own, over the states of a whole run: the same tasks and services, and news of
// them at the same indexes.
func TestFeedGivesWhatTheServerGives(t *testing.T) {
	w := newWorld(Config{Seed: 3, Duration: 30 * time.Second})
	w.boot()
	w.until(w.cfg.Duration)
	for _, h := range w.hosts[:3] {
		frames := new(server.Server).Frames(h.id)
		var sent []api.Assignment
		var sentServices []cluster.ServiceID
		var sentNetworks []cluster.Network
		for i, v := range w.raft.views[1:] {
			frame := frames(v, "")
			ours, services, networks := []api.Assignment{}, servicesOn(v, h.id), networksOf(v, tasksOf(v, h.id))
			for _, a := range assignmentsOf(v, tasksOf(v, h.id)) {
				ours = append(ours, api.Assignment{Task: a.Task, Template: a.Template})
			}
			if frame.Assignments != nil {
				if d := cmp.Diff(*frame.Assignments, ours, netips) + cmp.Diff(frame.Services, services) + cmp.Diff(frame.Networks, networks, netips); d != "" {
					t.Fatalf("node %s at index %d (-server +sim):\n%s", h.id, v.Index(), d)
				}
			}
			touched := i == 0 || touches(w, uint64(i+1), h.id)
			if changed := i == 0 || !cmp.Equal(sent, ours, netips) || !cmp.Equal(sentServices, services) || !cmp.Equal(sentNetworks, networks, netips); changed != (frame.Assignments != nil) || changed && !touched {
				t.Fatalf("node %s at index %d: the server has news: %v, the sim: %v, the entry concerns the node: %v", h.id, v.Index(), frame.Assignments != nil, changed, touched)
			}
			sent, sentServices, sentNetworks = ours, services, networks
		}
	}
}

// touches reports whether an entry is taken to concern the node's assignments.
func touches(w *World, index uint64, node cluster.NodeID) bool {
	r := &raft{w: w, touched: map[cluster.NodeID]uint64{}}
	r.touch(index, w.raft.changes[index])
	return r.touched[node] == index
}

// TestSpecsAreValid holds the random specs to what the API lets in.
func TestSpecsAreValid(t *testing.T) {
	w := newWorld(Config{Seed: 1})
	w.boot()
	for range 500 {
		s := w.users.spec()
		if err := s.Validate("services.web"); err != nil {
			t.Fatalf("%v in %+v", err, s)
		}
	}
}
