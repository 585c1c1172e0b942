package worker

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// byValue compares addresses as Go does.
var byValue = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})

// front and back are networks across hosts, of this stack and of another one.
var (
	front = cluster.Network{ID: "shop/Front_end", Number: 3, Subnet: netip.MustParsePrefix("10.194.0.0/22")}
	back  = cluster.Network{ID: "data/back", Number: 12, Subnet: netip.MustParsePrefix("10.194.4.0/22"), Internal: true}
)

// linked puts the task into both.
func linked(a *Assignment) {
	a.Template.Networks = []cluster.NetworkLink{{Network: front.ID, Aliases: []string{"www"}}, {Network: back.ID}}
	a.Task.Addresses = []cluster.TaskAddress{
		{Network: front.ID, Address: netip.MustParseAddr("10.194.0.2")},
		{Network: back.ID, Address: netip.MustParseAddr("10.194.4.9")},
	}
}

func TestRequestOfNetworks(t *testing.T) {
	a := assign("t1", linked)
	set := Set{Networks: []cluster.Network{back, front}, Assignments: []Assignment{a}}
	networks, missing := set.networksOf(&a)
	if missing != "" {
		t.Fatal(missing)
	}
	got := Request(Host{ClusterID: "c1", MTU: func() int { return 1370 }}, &a, networks)
	want := []runtime.Network{
		{
			Name: "muster-shop-front-end-3", Labels: map[string]string{"muster.cluster": "c1", "muster.stack": "shop"},
			Bridge: "mu3", Subnet: front.Subnet, Gateway: netip.MustParseAddr("10.194.0.1"), MTU: 1370,
			Address: netip.MustParseAddr("10.194.0.2"), MAC: "02:42:0a:c2:00:02",
		},
		{
			Name: "muster-data-back-12", Labels: map[string]string{"muster.cluster": "c1", "muster.stack": "data"},
			Bridge: "mu12", Subnet: back.Subnet, Gateway: netip.MustParseAddr("10.194.4.1"), MTU: 1370, Internal: true,
			Address: netip.MustParseAddr("10.194.4.9"), MAC: "02:42:0a:c2:04:09",
		},
	}
	if diff := cmp.Diff(want, got.Networks, byValue); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]netip.Addr{netip.MustParseAddr("10.194.0.1")}, got.DNS, byValue); diff != "" {
		t.Error(diff)
	}
	names := map[string]bool{"muster-shop-front-end-3": true, "muster-data-back-12": true}
	if diff := cmp.Diff(names, set.networkNames()); diff != "" {
		t.Error(diff)
	}
}

// A task whose networks are not known as a whole is in none that it starts in.
func TestTaskWaitsForItsNetworks(t *testing.T) {
	all := []cluster.Network{front, back}
	for name, tc := range map[string]struct {
		networks []cluster.Network
		change   func(*Assignment)
		error    string
	}{
		"all there":          {networks: all, change: func(*Assignment) {}},
		"an unknown network": {networks: all[:1], change: func(*Assignment) {}, error: "what network data/back is"},
		"no address":         {networks: all, change: func(a *Assignment) { a.Task.Addresses = a.Task.Addresses[:1] }, error: "an address in network data/back"},
		"address of elsewhere": {networks: all, change: func(a *Assignment) {
			a.Task.Addresses[0].Address = netip.MustParseAddr("192.0.2.1")
		}, error: "an address in network shop/Front_end"},
		"no IPv4 address": {networks: all, change: func(a *Assignment) {
			a.Task.Addresses[0].Address = netip.Addr{}
		}, error: "an address in network shop/Front_end"},
		"host networking": {change: func(a *Assignment) { a.Template.Container.NetworkMode, a.Template.Networks = "host", nil }},
	} {
		in := input([]Assignment{assign("t1", linked, tc.change)})
		in.Assigned.Networks = tc.networks
		d := Plan(in)
		switch o := d.Observed[0].Observed; {
		case tc.error == "" && (len(d.Actions) != 1 || d.Actions[0].Kind != Create):
			t.Errorf("%s: %v, want it created", name, words(d.Actions))
		case tc.error != "" && (len(d.Actions) != 0 || o.Phase != cluster.PhaseBackoff || !strings.Contains(o.Error, tc.error)):
			t.Errorf("%s: %v, %s with %q, want it to wait for %q", name, words(d.Actions), o.Phase, o.Error, tc.error)
		}
	}
	// A container that is there is in its networks already.
	in := input([]Assignment{assign("t1", linked)}, box("t1", runtime.StatusCreated))
	if d := Plan(in); len(d.Actions) != 1 || d.Actions[0].Kind != Start {
		t.Errorf("a container that was made: %v, want it started", words(d.Actions))
	}
}

// A host that boots without a quorum starts its tasks in their networks.
func TestNetworksAfterReboot(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, h *host) {
		h.assignSet(Set{Assignments: []Assignment{assign("t1", linked)}, Networks: []cluster.Network{front, back}})
		h.pass(tidyEvery * 2)
		h.expect("t1", cluster.PhaseRunning)
		h.stop()
		h.engine.Delete(h.box("t1").ID)
		if err := h.engine.RemoveNetworks(t.Context(), "c1", nil); err != nil {
			t.Fatal(err)
		}
		h.boot()
		h.pass(tidyEvery * 2)
		h.expect("t1", cluster.PhaseRunning)
		made, _ := h.engine.Created(h.box("t1").ID)
		if len(made.Networks) != 2 || made.Networks[1].Address != netip.MustParseAddr("10.194.4.9") || len(h.engine.Networks()) != 2 {
			t.Errorf("after the reboot it is in %+v of %v", made.Networks, h.engine.Networks())
		}
		h.assign()
		h.pass(tidyEvery * 2)
		if left := h.engine.Networks(); len(left) != 0 {
			t.Errorf("networks that no task is in: %v", left)
		}
	})
}
