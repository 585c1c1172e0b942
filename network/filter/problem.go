package filter

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

func explainFilter(err error) string {
	const meanwhile = "published ports are served in user space, services are not reached at their own addresses, and networks are kept apart by the engine alone"
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("the packet filter cannot be changed by this user: %s; run the data plane as root or with CAP_NET_ADMIN: %v", meanwhile, err)
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, syscall.EPROTONOSUPPORT), errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.EAFNOSUPPORT):
		return fmt.Sprintf("this kernel's packet filter lacks something: %s; load the modules nf_tables, nft_chain_nat, nft_fib_ipv4, nft_numgen, nft_reject_ipv4 "+
			"and nft_ct, or use Linux 5.6 or newer: %v", meanwhile, err)
	}
	return fmt.Sprintf("the packet filter does not take our rules: %s; it is tried again: %v", meanwhile, err)
}

func explainBridgeFilter(err error) string {
	return fmt.Sprintf("services are not reached at their own addresses on this node, names lead to their tasks instead: packets on bridges do not pass the packet filter; "+
		"run `modprobe br_netfilter` (and name it in /etc/modules-load.d): %v", err)
}

func explainRedirects(bridge string, err error) string {
	return fmt.Sprintf("the kernel may tell containers on %s to go past the packet filter: set net.ipv4.conf.%s.send_redirects to 0: %v", bridge, bridge, err)
}

func explainReflect(bridge string, err error) string {
	return fmt.Sprintf("tasks on %s may not reach themselves at their service's address; others reach them: %v", bridge, err)
}
