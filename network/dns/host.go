package dns

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// lookEvery is how often it is looked whether the host's settings changed.
const lookEvery = time.Second

// resolvConf reads which resolvers the host asks.
type resolvConf struct {
	path string

	mu     sync.Mutex
	looked time.Time
	info   os.FileInfo // of what was read
	all    []netip.AddrPort
}

// servers are those of the file as it was within the last second. Without any the
// host asks itself (resolv.conf(5)).
func (r *resolvConf) servers() []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.looked) >= lookEvery {
		r.looked = now
		r.read()
	}
	return r.all
}

func (r *resolvConf) read() {
	info, err := os.Stat(r.path)
	if err == nil && r.info != nil && os.SameFile(info, r.info) && info.ModTime().Equal(r.info.ModTime()) && info.Size() == r.info.Size() {
		return
	}
	r.info, r.all = info, nil
	if conf, err := dns.ClientConfigFromFile(r.path); err == nil {
		for _, text := range conf.Servers {
			if a, err := netip.ParseAddr(text); err == nil {
				r.all = append(r.all, netip.AddrPortFrom(a.Unmap(), defaultPort))
			}
		}
	}
	if len(r.all) == 0 {
		r.all = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), defaultPort)}
	}
}

// ownAddresses are those of the host's interfaces.
type ownAddresses struct {
	mu     sync.Mutex
	looked time.Time
	all    map[netip.Addr]bool
}

// has reports whether the address was the host's within the last second.
func (o *ownAddresses) has(a netip.Addr) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); now.Sub(o.looked) >= lookEvery {
		o.looked = now
		o.all = map[netip.Addr]bool{}
		addresses, err := net.InterfaceAddrs()
		if err != nil {
			return false // nobody is taken for the host until the kernel tells
		}
		for _, x := range addresses {
			if ip, ok := x.(*net.IPNet); ok {
				if b, ok := netip.AddrFromSlice(ip.IP); ok {
					o.all[b.Unmap()] = true
				}
			}
		}
	}
	return o.all[a]
}
