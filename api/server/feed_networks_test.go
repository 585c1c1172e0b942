package server

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

type networksByID map[cluster.NetworkID]*cluster.Network

func (n networksByID) Network(id cluster.NetworkID) (*cluster.Network, bool) {
	got, ok := n[id]
	return got, ok
}

func TestFramesCarryTheNetworksOfTheirAssignments(t *testing.T) {
	known := networksByID{}
	for i, id := range []cluster.NetworkID{"shop/front", "shop/back", "data/store"} {
		known[id] = &cluster.Network{
			ID: id, Number: uint32(i + 1), Subnet: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 194, byte(i * 4), 0}), 22),
			Last: netip.MustParseAddr("10.194.0.9"),
		}
	}
	in := func(ids ...cluster.NetworkID) (out api.Assignment) {
		for _, id := range ids {
			out.Template.Networks = append(out.Template.Networks, cluster.NetworkLink{Network: id})
		}
		return out
	}
	assignments := []api.Assignment{in("shop/front", "shop/back"), in("shop/front"), in(), in("shop/gone")}
	got := networksOf(known, assignments)
	if len(got) != 2 || got[0].ID != "shop/back" || got[1].ID != "shop/front" || got[1].Number != 1 {
		t.Fatalf("networks %+v, want shop/back and shop/front", got)
	}
	given := *known["shop/front"]
	given.Last = given.Last.Next()
	known["shop/front"] = &given
	if again := networksOf(known, assignments); !slices.Equal(got, again) {
		t.Errorf("another task got an address: %+v, want %+v as before", again, got)
	}
	closed := given
	closed.Internal = true
	known["shop/front"] = &closed
	if again := networksOf(known, assignments); slices.Equal(got, again) {
		t.Error("a network that became internal is no news")
	}
}
