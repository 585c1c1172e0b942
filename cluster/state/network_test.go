package state

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/musterhq/muster/cluster"
)

// joined is a spec of a service in networks of the cluster.
func joined(replicas int, networks ...cluster.NetworkID) cluster.ServiceSpec {
	s := spec("a", replicas)
	for _, n := range networks {
		s.Template.Networks = append(s.Template.Networks, cluster.NetworkLink{Network: n})
	}
	return s
}

func declare(names ...string) []cluster.NetworkSpec {
	var out []cluster.NetworkSpec
	for _, n := range names {
		out = append(out, cluster.NetworkSpec{Name: n})
	}
	return out
}

func (w *world) network(id cluster.NetworkID) *cluster.Network {
	w.t.Helper()
	n, ok := w.View().Network(id)
	if !ok {
		w.t.Fatalf("there is no network %s", id)
	}
	return n
}

func (w *world) gone(id cluster.NetworkID) {
	w.t.Helper()
	if _, ok := w.View().Network(id); ok {
		w.t.Fatalf("network %s is there", id)
	}
}

// refusedWith is refused, with words that the message has.
func (w *world) refusedWith(b Body, code Code, words ...string) {
	w.t.Helper()
	before := w.View().Hash()
	r := w.do("", b)
	if r.Err == nil || r.Err.Code != code || w.View().Hash() != before {
		w.t.Fatalf("%T: error %v, want code %s and no change", b, r.Err, code)
	}
	for _, word := range words {
		if !strings.Contains(r.Err.Message, word) {
			w.t.Errorf("%q does not say %q", r.Err.Message, word)
		}
	}
}

func (w *world) said(action, object, message string) bool {
	return slices.ContainsFunc(w.View().LastEvents(20, nil), func(e *Event) bool {
		return e.Action == action && e.Object == object && strings.Contains(e.Message, message)
	})
}

func TestNetworksAreMadeAndGo(t *testing.T) {
	w := newWorld(t, "n1")
	put := func(names []string, in ...cluster.NetworkID) {
		w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", joined(1, in...)}}, Networks: declare(names...)})
	}
	put([]string{"back", "default"}, "s/default", "s/back")
	back, def := w.network("s/back"), w.network("s/default")
	if back.Number != 1 || back.Subnet.String() != "10.194.0.0/22" || def.Number != 2 || def.Subnet.String() != "10.194.4.0/22" {
		t.Errorf("got %+v and %+v", back, def)
	}
	if !w.said("created", "s/back", "10.194.0.0/22") {
		t.Error("the history does not say that it was made")
	}
	put([]string{"default"}, "s/default")
	if n := w.network("s/back"); !n.Undeclared || !w.said("kept", "s/back", "s/web") {
		t.Errorf("%+v: the service may come back to it", n)
	}
	w.must(Rollback{Service: "s/web"})
	put([]string{"back", "default"}, "s/back")
	if n := w.network("s/back"); n.Undeclared || n.Number != 1 {
		t.Errorf("declared again, it is %+v", n)
	}
	w.must(RemoveStack{Stack: "s"})
	w.network("s/back")
	w.must(Reconcile{Forget: []cluster.ServiceID{"s/web"}})
	w.gone("s/back")
	w.gone("s/default")
	if w.View().held.len() != 0 || !w.said("removed", "s/default", "") {
		t.Error("something of the stack is left")
	}
	w.must(PutStack{Stack: "t", Services: []NamedSpec{{"web", joined(1, "t/default")}}, Networks: declare("default")})
	if n := w.network("t/default"); n.Number != 1 || n.Subnet != back.Subnet {
		t.Errorf("what is free is not used again: %+v", n)
	}
}

func TestNetworkThatNoGenerationIsInGoes(t *testing.T) {
	w := newWorld(t, "n1")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", joined(1, "s/old")}}, Networks: declare("old")})
	for i := range KeepGenerations {
		w.network("s/old")
		s := joined(1, "s/default")
		s.Template.Force = uint64(i)
		w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", s}}, Networks: declare("default")})
	}
	w.gone("s/old")
}

func TestSubnetsOverlapNothing(t *testing.T) {
	w := newWorld(t, "n1", "n2")
	w.must(UpdateNode{ID: "n2", NetworkKey: "k", Routes: []netip.Prefix{netip.MustParsePrefix("10.194.0.0/23"), netip.MustParsePrefix("10.194.5.7/32"), netip.MustParsePrefix("0.0.0.0/0")}})
	wish := func(subnet string) PutStack {
		return PutStack{Stack: "w", Services: []NamedSpec{{"web", joined(1, "w/n")}}, Networks: []cluster.NetworkSpec{{Name: "n", Subnet: netip.MustParsePrefix(subnet)}}}
	}
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", joined(1, "s/default")}}, Networks: declare("default")})
	if n := w.network("s/default"); n.Subnet.String() != "10.194.8.0/22" {
		t.Errorf("got %s, beside the routes of n2", n.Subnet)
	}
	for subnet, by := range map[string]string{
		"10.194.8.0/24": "network s/default", "10.192.0.0/16": "of hosts", "10.193.4.0/24": "of services", "10.194.0.0/16": "node n2",
	} {
		w.refusedWith(wish(subnet), CodeConflict, "networks.n.ipam.config.subnet", by)
	}
	for _, subnet := range []string{"127.0.0.0/16", "224.1.0.0/16", "10.194.12.1/24", "10.0.0.0/8", "fd00::/24", "172.20.0.0/29"} {
		w.refusedWith(wish(subnet), CodeInvalid, "networks.n.ipam.config.subnet")
	}
	w.must(wish("10.194.12.0/24"))
	w.must(PutStack{Stack: "x", Services: []NamedSpec{{"web", joined(1, "x/default")}}, Networks: declare("default")})
	if n := w.network("x/default"); n.Subnet.String() != "10.194.16.0/22" {
		t.Errorf("got %s", n.Subnet)
	}
	w.must(UpdateNode{ID: "n1", NetworkKey: "l", Routes: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	w.refusedWith(PutStack{Stack: "y", Networks: declare("default")}, CodeConflict, "no subnet", "node n1", "network-pool")
}

func TestLinksToOtherStacks(t *testing.T) {
	w := newWorld(t, "n1")
	guest := PutStack{Stack: "b", Services: []NamedSpec{{"web", joined(1, "b/default", "a/front")}}, Networks: declare("default")}
	host := func(shared bool) PutStack {
		return PutStack{Stack: "a", Services: []NamedSpec{{"web", joined(1, "a/front")}}, Networks: []cluster.NetworkSpec{{Name: "front", Shared: shared}}}
	}
	w.refusedWith(guest, CodeConflict, "services.web.networks", "no network a/front", "muster network ls")
	w.must(host(false))
	w.refusedWith(guest, CodeConflict, "services.web.networks", "not shared", "x-muster.shared")
	w.refusedWith(PutStack{Stack: "b", Services: []NamedSpec{{"web", joined(1, "b/x")}}}, CodeInvalid, "services.web.networks", "not declared")
	w.must(host(true))
	w.must(guest)
	w.refusedWith(host(false), CodeConflict, "networks.front", "b/web")
	w.refusedWith(PutStack{Stack: "a", Services: []NamedSpec{{"web", joined(1, "a/default")}}, Networks: declare("default")}, CodeConflict, "front", "b/web")
	w.must(RemoveStack{Stack: "a"})
	w.must(Reconcile{Forget: []cluster.ServiceID{"a/web"}})
	if n := w.network("a/front"); !n.Undeclared || !w.said("kept", "a/front", "b/web") {
		t.Errorf("the network of the stack that is gone: %+v", n)
	}
	w.must(RemoveStack{Stack: "b"})
	w.must(Reconcile{Forget: []cluster.ServiceID{"b/web"}})
	w.gone("a/front")
}

// A generation whose network is not there any more, or not for the service, is
// not gone back to by hand.
func TestRollbackNeedsTheNetwork(t *testing.T) {
	w := newWorld(t, "n1")
	share := func(shared bool) {
		w.must(PutStack{Stack: "a", Services: []NamedSpec{{"web", joined(1, "a/front")}}, Networks: []cluster.NetworkSpec{{Name: "front", Shared: shared}}})
	}
	share(true)
	w.must(PutStack{Stack: "b", Services: []NamedSpec{{"web", joined(1, "a/front")}}})
	w.must(PutStack{Stack: "b", Services: []NamedSpec{{"web", joined(1)}}})
	share(false)
	w.refusedWith(Rollback{Service: "b/web"}, CodeConflict, "not shared")
	share(true)
	w.must(Rollback{Service: "b/web"})
}

func TestNetworkWithTasksKeepsItsSubnet(t *testing.T) {
	w := newWorld(t, "n1")
	put := func(n cluster.NetworkSpec) PutStack {
		n.Name = "default"
		return PutStack{Stack: "s", Services: []NamedSpec{{"web", joined(1, "s/default")}}, Networks: []cluster.NetworkSpec{n}}
	}
	w.must(put(cluster.NetworkSpec{}))
	w.must(put(cluster.NetworkSpec{Internal: true, Subnet: netip.MustParsePrefix("172.20.0.0/24")}))
	if n := w.network("s/default"); !n.Internal || n.Subnet.String() != "172.20.0.0/24" {
		t.Errorf("nobody is in it, and it is %+v", n)
	}
	w.must(Reconcile{Create: []cluster.Task{task("1", 1, "n1", 0)}})
	w.refusedWith(put(cluster.NetworkSpec{}), CodeConflict, "networks.default")
	w.refusedWith(put(cluster.NetworkSpec{Internal: true, Subnet: netip.MustParsePrefix("172.21.0.0/24")}), CodeConflict, "networks.default")
	w.must(put(cluster.NetworkSpec{Internal: true, Shared: true}))
	if n := w.network("s/default"); !n.Shared || n.Subnet.String() != "172.20.0.0/24" {
		t.Errorf("a deploy without a subnet left %+v", n)
	}
}

func TestPoolIsHeldWhileItIsUsed(t *testing.T) {
	w := newWorld(t, "n1")
	pool := netip.MustParsePrefix("10.64.0.0/12")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", joined(1, "s/default")}}, Networks: declare("default")})
	w.refusedWith(Configure{Change: cluster.SettingsChange{NetworkPool: &pool}}, CodeConflict, "network_pool", "s/default")
	off := cluster.EncryptOff
	w.must(Configure{Change: cluster.SettingsChange{Encrypt: &off}})
	if !w.said("configured", "C", "encrypt=off") {
		t.Error("the history does not say that traffic is plain from here on")
	}
	w.must(RemoveStack{Stack: "s"})
	w.must(Reconcile{Forget: []cluster.ServiceID{"s/web"}})
	w.must(Configure{Change: cluster.SettingsChange{NetworkPool: &pool}})
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", joined(1, "s/default")}}, Networks: declare("default")})
	s, _ := w.View().Service("s/web")
	if n := w.network("s/default"); n.Subnet.String() != "10.66.0.0/22" || s.Address.String() != "10.65.0.1" {
		t.Errorf("network %s, service %s", n.Subnet, s.Address)
	}
}
