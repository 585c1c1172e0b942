package network

import (
	"iter"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/cluster"
)

var equal = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
}

type fakeView struct {
	settings cluster.Settings
	nodes    []*cluster.Node
	networks []*cluster.Network
	services []*cluster.Service
	tasks    []*cluster.Task
}

func (v *fakeView) Settings() cluster.Settings           { return v.settings }
func (v *fakeView) Nodes() iter.Seq[*cluster.Node]       { return slices.Values(v.nodes) }
func (v *fakeView) Networks() iter.Seq[*cluster.Network] { return slices.Values(v.networks) }
func (v *fakeView) Services() iter.Seq[*cluster.Service] { return slices.Values(v.services) }
func (v *fakeView) TasksOf(id cluster.ServiceID) iter.Seq[*cluster.Task] {
	return func(yield func(*cluster.Task) bool) {
		for _, t := range v.tasks {
			if t.Service == id && !yield(t) {
				return
			}
		}
	}
}

const shop = cluster.NetworkID("shop/default")

func in(networks ...cluster.NetworkLink) cluster.Template {
	return cluster.Template{Networks: networks}
}

func running(id cluster.TaskID, service cluster.ServiceID, node cluster.NodeID, address string) *cluster.Task {
	return &cluster.Task{
		ID: id, Service: service, Slot: 1, Generation: 2, Node: node, Desired: cluster.Running,
		Observed:  cluster.Observed{Phase: cluster.PhaseRunning},
		Addresses: []cluster.TaskAddress{{Network: shop, Address: netip.MustParseAddr(address)}},
	}
}

// sample is a stack in the middle of an update: the old generation, which is in
// another network as well, still has a task.
func sample() *fakeView {
	back := cluster.NewNetworkID("shop", "back")
	old := in(cluster.NetworkLink{Network: back}, cluster.NetworkLink{Network: shop, Aliases: []string{"www", "front"}})
	old.Container.Hostname = "old-web"
	old.Ports = []cluster.Port{{Target: 8080, Protocol: "tcp"}}
	now := in(cluster.NetworkLink{Network: shop, Aliases: []string{"front"}})
	now.Ports = []cluster.Port{{Target: 80, Protocol: "tcp"}, {Target: 80, Published: 81, Protocol: "tcp"}}
	kept := in(cluster.NetworkLink{Network: shop, Aliases: []string{"older"}})
	previous := running("T1", "shop/web", "N1", "10.194.0.2")
	previous.Generation = 1
	stopping := running("T3", "shop/web", "N1", "10.194.0.4")
	stopping.Desired = cluster.Stopped
	ended := running("T4", "shop/web", "N1", "10.194.0.5")
	ended.Desired, ended.Observed.Phase = cluster.Stopped, cluster.PhaseExited
	return &fakeView{
		nodes: []*cluster.Node{
			{ID: "N2", Name: "n2", Address: "host-2", Condition: cluster.Down, Number: 2, NetworkKey: "k2", NetworkPort: 7100},
			{ID: "N1", Name: "n1", Address: "192.0.2.1", Condition: cluster.Away, Number: 1, NetworkKey: "k1"},
		},
		networks: []*cluster.Network{
			{ID: back, Number: 2, Subnet: netip.MustParsePrefix("10.194.4.0/22"), Created: time.Unix(9, 0), Last: netip.MustParseAddr("10.194.4.9")},
			{ID: shop, Number: 1, Subnet: netip.MustParsePrefix("10.194.0.0/22")},
		},
		services: []*cluster.Service{
			{
				ID: "shop/web", Generation: 2, Address: netip.MustParseAddr("10.193.0.1"), Redirect: "shop/going",
				Spec:    cluster.ServiceSpec{Template: now},
				History: []cluster.Generation{{Number: 0, Template: kept}, {Number: 1, Template: old}},
			},
			{ID: "shop/host"},
			{ID: "shop/going", Generation: 2, Removing: true, Spec: cluster.ServiceSpec{Template: now}},
		},
		tasks: []*cluster.Task{
			running("T5", "shop/going", "N1", "10.194.0.6"), running("T2", "shop/web", "N2", "10.194.0.3"),
			ended, stopping, previous, running("T6", "shop/host", "N1", "10.194.0.7"),
		},
	}
}

func TestFromView(t *testing.T) {
	back := cluster.NewNetworkID("shop", "back")
	task := func(id cluster.TaskID, service cluster.ServiceID, node cluster.NodeID, address string, ready bool) Task {
		return Task{
			ID: id, Service: service, Slot: 1, Node: node, Ready: ready,
			Addresses: []cluster.TaskAddress{{Network: shop, Address: netip.MustParseAddr(address)}},
		}
	}
	first := task("T1", "shop/web", "N1", "10.194.0.2", true)
	first.Hostname = "old-web"
	going := task("T5", "shop/going", "N1", "10.194.0.6", true)
	want := Input{
		Pool: cluster.DefaultNetworkPool, Encrypt: true,
		Hosts: []Host{
			{Node: "N1", Name: "n1", Number: 1, Address: netip.MustParseAddr("192.0.2.1"), Key: "k1"},
			{Node: "N2", Name: "n2", Number: 2, Key: "k2", Port: 7100, Down: true},
		},
		Networks: []cluster.Network{
			{ID: shop, Number: 1, Subnet: netip.MustParsePrefix("10.194.0.0/22")},
			{ID: back, Number: 2, Subnet: netip.MustParsePrefix("10.194.4.0/22")},
		},
		Services: []Service{{
			ID: "shop/web", Address: netip.MustParseAddr("10.193.0.1"),
			Links: []cluster.NetworkLink{{Network: back}, {Network: shop, Aliases: []string{"front", "www"}}},
			Ports: []Port{{"tcp", 80}, {"tcp", 8080}},
		}},
		Tasks: []Task{first, task("T2", "shop/web", "N2", "10.194.0.3", false), task("T3", "shop/web", "N1", "10.194.0.4", false), going},
	}
	if diff := cmp.Diff(want, FromView(sample()), equal); diff != "" {
		t.Errorf("input (-want +got):\n%s", diff)
	}
}

func TestOrderMakesNoDifference(t *testing.T) {
	want := FromView(sample())
	for seed := range uint64(20) {
		r, v := rand.New(rand.NewPCG(seed, 0)), sample()
		r.Shuffle(len(v.nodes), reflect.Swapper(v.nodes))
		r.Shuffle(len(v.networks), reflect.Swapper(v.networks))
		r.Shuffle(len(v.services), reflect.Swapper(v.services))
		r.Shuffle(len(v.tasks), reflect.Swapper(v.tasks))
		if got := FromView(v); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d (-want +got):\n%s", seed, cmp.Diff(want, got, equal))
		}
	}
}

func TestFromViewTakesSettings(t *testing.T) {
	pool := netip.MustParsePrefix("10.64.0.0/12")
	got := FromView(&fakeView{settings: cluster.Settings{NetworkPool: pool, Encrypt: cluster.EncryptOff}})
	if got.Pool != pool || got.Encrypt {
		t.Errorf("got %+v", got)
	}
}
