package state

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/cluster"
)

var tiny = netip.MustParsePrefix("10.200.0.0/28") // 13 addresses for tasks

// crowded is a world whose service s/web is in a network with few addresses.
func crowded(t testing.TB, replicas int) *world {
	w := newWorld(t, "n1", "n2")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", joined(replicas, "s/default")}}, Networks: []cluster.NetworkSpec{{Name: "default", Subnet: tiny}}})
	return w
}

func (w *world) address(id string) string {
	w.t.Helper()
	tk, ok := w.View().Task(cluster.TaskID(id))
	if !ok {
		w.t.Fatalf("there is no task %s", id)
	}
	var out []string
	for _, a := range tk.Addresses {
		out = append(out, a.Address.String())
	}
	return strings.Join(out, " ")
}

func (w *world) ended(id, node string) {
	w.must(Reconcile{Stop: []StopTask{{Task: cluster.TaskID(id)}}})
	w.must(Observe{Node: cluster.NodeID(node), Tasks: []TaskObserved{{cluster.TaskID(id), cluster.Observed{Phase: cluster.PhaseExited}}}})
}

func TestTaskHoldsItsAddress(t *testing.T) {
	w := crowded(t, 3)
	w.must(Reconcile{Create: []cluster.Task{task("1", 1, "n1", 0), task("2", 2, "", 0), task("3", 3, "n2", 0)}})
	if w.address("1") != "10.200.0.2" || w.address("2") != "" || w.address("3") != "10.200.0.3" {
		t.Errorf("got %q, %q, %q", w.address("1"), w.address("2"), w.address("3"))
	}
	w.must(Reconcile{Assign: []Assign{{Task: "2", Generation: 1, Node: "n1"}}})
	w.must(Reconcile{Stop: []StopTask{{Task: "1"}}})
	if w.address("2") != "10.200.0.4" || w.address("1") != "10.200.0.2" {
		t.Errorf("got %q; the one that stops has %q", w.address("2"), w.address("1"))
	}
	w.must(Observe{Node: "n1", Tasks: []TaskObserved{{"1", cluster.Observed{Phase: cluster.PhaseExited}}}})
	if w.address("1") != "" || w.View().AddressesHeld("s/default") != 2 {
		t.Errorf("the one that ended has %q, %d are held", w.address("1"), w.View().AddressesHeld("s/default"))
	}
	w.must(RemoveNode{ID: "n2"})
	if w.address("3") != "" || w.View().AddressesHeld("s/default") != 1 {
		t.Errorf("the one of a removed node has %q", w.address("3"))
	}
}

func TestFullNetworkRefusesTasks(t *testing.T) {
	w := crowded(t, 20)
	for i := 1; i <= 13; i++ {
		if r := w.must(Reconcile{Create: []cluster.Task{task(fmt.Sprintf("%02d", i), i, "n1", 0)}}); len(r.Refused) > 0 {
			t.Fatalf("task %d was refused: %v", i, r.Refused)
		}
	}
	if w.address("13") != "10.200.0.14" {
		t.Errorf("the last one has %s", w.address("13"))
	}
	r := w.must(Reconcile{Create: []cluster.Task{task("14", 14, "n1", 0)}})
	if len(r.Refused) != 1 || !strings.Contains(r.Refused[0].Reason, "network s/default is full") || !strings.Contains(r.Refused[0].Reason, "13 tasks") {
		t.Fatalf("refused %+v", r.Refused)
	}
	if tk, _ := w.View().Task("14"); tk.Node != "" || w.View().Unaddressed("s/web", 1) != r.Refused[0].Reason {
		t.Errorf("%+v, %q", tk, w.View().Unaddressed("s/web", 1))
	}
	w.ended("05", "n1")
	w.must(Reconcile{Assign: []Assign{{Task: "14", Generation: 1, Node: "n1"}}})
	if w.address("14") != "10.200.0.6" {
		t.Errorf("it has %s, and only that of 05 is free", w.address("14"))
	}
}

// A moved task, which is another one, has one address for each network, in order.
func TestTaskInTwoNetworks(t *testing.T) {
	w := newWorld(t, "n1")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", joined(1, "s/b", "s/a")}}, Networks: declare("a", "b")})
	w.must(Reconcile{Create: []cluster.Task{task("1", 1, "n1", 0)}})
	if got := w.address("1"); got != "10.194.4.2 10.194.0.2" {
		t.Errorf("got %s", got)
	}
}

func TestServiceAddressIsForLife(t *testing.T) {
	w := newWorld(t, "n1")
	address := func(id cluster.ServiceID) string {
		s, _ := w.View().Service(id)
		return s.Address.String()
	}
	put := func(specs ...NamedSpec) { w.must(PutStack{Stack: "s", Services: specs, Networks: declare("default")}) }
	put(NamedSpec{"db", joined(1, "s/default")}, NamedSpec{"none", spec("a", 1)})
	if address("s/db") != "10.193.0.1" || address("s/none") != "invalid IP" {
		t.Errorf("got %s and %s", address("s/db"), address("s/none"))
	}
	put(NamedSpec{"db", joined(4, "s/default")}, NamedSpec{"web", joined(1, "s/default")})
	w.must(Restart{Service: "s/db"})
	put(NamedSpec{"web", joined(1, "s/default")})
	put(NamedSpec{"db", spec("b", 1)}, NamedSpec{"web", joined(1, "s/default")}) // it is on its way out, and back
	if address("s/db") != "10.193.0.1" || address("s/web") != "10.193.0.2" {
		t.Errorf("got %s and %s", address("s/db"), address("s/web"))
	}
	put(NamedSpec{"web", joined(1, "s/default")})
	w.must(Reconcile{Forget: []cluster.ServiceID{"s/db"}})
	put(NamedSpec{"db", joined(1, "s/default")}, NamedSpec{"web", joined(1, "s/default")})
	if address("s/db") != "10.193.0.3" {
		t.Errorf("another service got %s, which has not rested", address("s/db"))
	}
}

// A restored state gives the same addresses as the one that was saved.
func TestAddressesAfterASnapshot(t *testing.T) {
	w := crowded(t, 20)
	for i := 1; i <= 6; i++ {
		w.must(Reconcile{Create: []cluster.Task{task(fmt.Sprintf("%02d", i), i, "n1", 0)}})
	}
	w.ended("02", "n1")
	w.ended("06", "n1")
	var snap bytes.Buffer
	if err := w.View().WriteSnapshot(&snap); err != nil {
		t.Fatal(err)
	}
	restored, err := ReadSnapshot(&snap)
	if err != nil {
		t.Fatal(err)
	}
	w.State = restored
	w.must(Reconcile{Create: []cluster.Task{task("07", 7, "n1", 0)}})
	w.must(PutStack{Stack: "t", Services: []NamedSpec{{"web", joined(1, "t/default")}}, Networks: declare("default")})
	s, _ := w.View().Service("t/web")
	if w.address("07") != "10.200.0.8" || s.Address.String() != "10.193.0.2" {
		t.Errorf("after a restore: %s, %s", w.address("07"), s.Address)
	}
}

// The allocator against a list: it gives no address that is held, and of the free
// ones the one that comes next behind the last.
func TestNextFree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := cluster.Network{ID: "s/n", Subnet: netip.MustParsePrefix("10.0.3.240/28")}
		x := begin(New().view, 1, t0)
		x.hold("s/m", n.First()) // those of others do not count
		x.hold("s/o", n.First())
		held := map[netip.Addr]bool{}
		var order []netip.Addr
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			if len(order) > 0 && rapid.Bool().Draw(rt, "release") {
				i := rapid.IntRange(0, len(order)-1).Draw(rt, "which")
				x.release(n.ID, order[i])
				delete(held, order[i])
				order = append(order[:i], order[i+1:]...)
				continue
			}
			want, any := next(&n, held)
			got, ok := x.nextFree(n.ID, n.First(), n.End(), n.Last)
			if ok != any || ok && got != want {
				rt.Fatalf("got %v %v, want %v %v; held %v", got, ok, want, any, held)
			}
			if ok {
				x.hold(n.ID, got)
				held[got], n.Last = true, got
				order = append(order, got)
			}
			if x.occupied(n.ID) != (len(held) > 0) {
				rt.Fatalf("occupied: %v, held %v", x.occupied(n.ID), held)
			}
		}
		for _, a := range order {
			x.release(n.ID, a)
		}
		if x.held.len != 2 {
			rt.Fatalf("%d runs are left", x.held.len)
		}
	})
}

func next(n *cluster.Network, held map[netip.Addr]bool) (netip.Addr, bool) {
	a := n.Last
	for range n.Size() + 1 {
		if a = a.Next(); a.Less(n.First()) || !a.Less(n.End()) {
			a = n.First()
		}
		if !held[a] {
			return a, true
		}
	}
	return netip.Addr{}, false
}

func TestNodesGetNumbers(t *testing.T) {
	w := newWorld(t, "n1", "n2", "n3")
	node := func(id cluster.NodeID) cluster.Node {
		n, _ := w.View().Node(id)
		return *n
	}
	w.must(UpdateNode{ID: "n2"})
	if node("n2").Number != 0 {
		t.Error("a number without a key")
	}
	for i, id := range []cluster.NodeID{"n3", "n1", "n2"} {
		w.must(UpdateNode{ID: id, NetworkKey: "k" + string(id), NetworkPort: 7072, Routes: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/16"), netip.MustParsePrefix("fd00::/8")}})
		if n := node(id); n.Number != uint16(i+1) || n.NetworkPort != 7072 || len(n.Routes) != 1 || n.Routes[0].String() != "10.1.0.0/16" {
			t.Errorf("%+v", n)
		}
	}
	w.must(UpdateNode{ID: "n3"}) // by a binary that knows nothing of it
	w.must(UpdateNode{ID: "n1", NetworkKey: "other"})
	if n := node("n3"); n.NetworkKey != "kn3" || n.NetworkPort != 7072 || len(n.Routes) != 1 {
		t.Errorf("its word is lost: %+v", n)
	}
	if n := node("n1"); n.Number != 2 || n.NetworkKey != "other" || n.Routes != nil {
		t.Errorf("%+v", n)
	}
	w.must(RemoveNode{ID: "n3"})
	w.must(JoinNode{Token: "tok", Node: cluster.Node{ID: "n4", Name: "n4", Number: 9, NetworkKey: "k4"}})
	if n := node("n4"); n.Number != 1 || n.NetworkKey != "k4" {
		t.Errorf("%+v, and 1 is free", n)
	}
}

// randomStack is in a network with few addresses, at times.
func randomStack(rt *rapid.T, i int) Body {
	s := spec(fmt.Sprint(i), 3)
	put := PutStack{Stack: "s"}
	for _, n := range rapid.SampledFrom([][]string{nil, {"a"}, {"a", "b"}}).Draw(rt, "networks") {
		s.Template.Networks = append(s.Template.Networks, cluster.NetworkLink{Network: cluster.NewNetworkID("s", n)})
		put.Networks = append(put.Networks, cluster.NetworkSpec{Name: n})
	}
	if len(put.Networks) > 0 && rapid.Bool().Draw(rt, "tiny") {
		put.Networks[0].Subnet = tiny
	}
	put.Services = []NamedSpec{{"web", s}}
	return put
}

// addressesOf are the addresses that are held, by holder, each once; the index
// knows them and no other.
func addressesOf(rt *rapid.T, v View) map[string]string {
	by := map[string]string{}
	note := func(network cluster.NetworkID, a netip.Addr, holder string) {
		key := fmt.Sprint(network, " ", a)
		if other, twice := by[key]; twice {
			rt.Fatalf("%s is held by %s and %s", key, other, holder)
		}
		by[key] = holder
	}
	for tk := range v.Tasks() {
		if len(tk.Addresses) > 0 && !tk.Holds() {
			rt.Fatalf("%s is over and has %v", tk.ID, tk.Addresses)
		}
		for _, a := range tk.Addresses {
			note(a.Network, a.Address, string(tk.ID))
		}
	}
	for s := range v.Services() {
		if s.Address.IsValid() {
			note("", s.Address, string(s.ID))
		}
	}
	indexed := 0
	for r := range v.held.all("") {
		for a := r.first; !r.last.Less(a); a = a.Next() {
			if _, ok := by[fmt.Sprint(r.network, " ", a)]; !ok {
				rt.Fatalf("%s of %q is in the index, and nobody has it", a, r.network)
			}
			indexed++
		}
	}
	if indexed != len(by) {
		rt.Fatalf("%d are in the index, %d are held", indexed, len(by))
	}
	return by
}
