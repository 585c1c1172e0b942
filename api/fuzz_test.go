package api_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

// A voter's frames, and the members that the disk kept of them, may be anything:
// the table is built, and what was understood is understood the same when it is
// passed on.
func FuzzFeed(f *testing.F) {
	whole, err := json.Marshal(api.Feed{
		Epoch: 1, Index: 2, Leader: "n1", Members: []api.Member{{ID: "n1", Name: "n1", Address: "10.0.0.1", APIPort: 7070, Voter: true}},
		Assignments: &[]api.Assignment{{Task: cluster.Task{ID: "t", Service: "shop/web", Slot: 1}}},
		Table:       &lb.Input{Endpoints: []lb.Endpoint{{Task: "t"}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"members":[null,{}],"assignments":[{}],"table":{}}`))
	f.Add([]byte(`{"members":[{"address":"::1","api_port":-1}],"table":{"endpoints":[null]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var frame api.Feed
		if json.Unmarshal(data, &frame) != nil {
			return
		}
		if frame.Table != nil {
			lb.Build(*frame.Table)
		}
		if frame.Assignments != nil {
			for _, a := range *frame.Assignments {
				_ = a.Task.Service.Stack()
			}
		}
		for _, m := range frame.Members {
			_ = m.HostPort()
		}
		members, err := json.Marshal(frame.Members) // as they are kept on disk
		if err != nil {
			t.Fatalf("the members cannot be kept: %v", err)
		}
		var back []api.Member
		if err := json.Unmarshal(members, &back); err != nil || cmp.Diff(frame.Members, back) != "" {
			t.Errorf("kept and read again, %v:\n%s", err, cmp.Diff(frame.Members, back))
		}
	})
}
