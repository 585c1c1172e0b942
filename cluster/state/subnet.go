package state

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/musterhq/muster/cluster"
)

// taken is a range that no network may have.
type taken struct {
	netip.Prefix
	by string // for people
}

// takenRanges are all of them, by their first address: the subnets of the other
// networks, where nodes send traffic by other ways, and the pool's ranges of hosts
// and of services.
func (tx *tx) takenRanges(except cluster.NetworkID) []taken {
	pool := tx.currentSettings().Pool()
	out := []taken{{pool.Hosts(), "the addresses of hosts"}, {pool.Services(), "the addresses of services"}}
	for _, n := range tx.networks.all("") {
		if n.ID != except {
			out = append(out, taken{n.Subnet, "network " + string(n.ID)})
		}
	}
	for _, n := range tx.nodes.all("") {
		for _, r := range n.Routes {
			out = append(out, taken{r, fmt.Sprintf("a route of node %s (%s)", n.Name, r)})
		}
	}
	slices.SortStableFunc(out, func(a, b taken) int { return cmp.Compare(number(a.Addr()), number(b.Addr())) })
	return out
}

// freeSubnet is the first subnet of the pool that overlaps nothing.
func (tx *tx) freeSubnet(id cluster.NetworkID) (netip.Prefix, error) {
	const size = 1 << (32 - cluster.NetworkBits)
	pool := tx.currentSettings().Pool()
	next, by := uint64(number(pool.Addr())), taken{}
	for _, t := range tx.takenRanges(id) {
		first, last := uint64(number(t.Masked().Addr())), uint64(number(cluster.LastOf(t.Prefix)))
		if last < next {
			continue
		}
		if first >= next+size {
			break
		}
		next, by = (last/size+1)*size, t
	}
	if next+size-1 > uint64(number(cluster.LastOf(pool.Prefix))) {
		return netip.Prefix{}, &Error{CodeConflict, fmt.Sprintf(
			"networks.%s: no subnet of the pool %s is free for it, the last is taken by %s; remove stacks that are not needed, name a subnet under ipam.config, or set another pool with `muster settings network-pool=...`", id.Name(), pool, by.by)}
	}
	a := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(next))))
	return netip.PrefixFrom(a, cluster.NetworkBits), nil
}

// refuseOverlap refuses a subnet that the user wants and others have.
func (tx *tx) refuseOverlap(id cluster.NetworkID, subnet netip.Prefix) error {
	for _, t := range tx.takenRanges(id) {
		if t.Overlaps(subnet) {
			return &Error{CodeConflict, fmt.Sprintf("networks.%s.ipam.config.subnet: %s overlaps %s; choose another one, or leave it out for one of the cluster's pool", id.Name(), subnet, t.by)}
		}
	}
	return nil
}

func number(a netip.Addr) uint32 { return number4(a.As4()) }

func number4(b [4]byte) uint32 { return binary.BigEndian.Uint32(b[:]) }
