package cluster

import (
	"fmt"
	"slices"
)

// RedirectPort is the port of t that takes what comes to another service's port
// p: the one with the same target, else the only one of the protocol.
func (t *Template) RedirectPort(p Port) (to Port, ok bool) {
	var all []Port
	for _, q := range t.Ports {
		switch {
		case q.Protocol != p.Protocol:
		case q.Target == p.Target:
			return q, true
		case !slices.ContainsFunc(all, func(o Port) bool { return o.Target == q.Target }):
			all = append(all, q)
		}
	}
	if len(all) != 1 {
		return Port{}, false
	}
	return all[0], true
}

// CannotRedirect says why connections to from's published ports cannot go to the
// tasks of to, or "".
func CannotRedirect(from, to *Service) string {
	any := false
	for _, p := range from.Spec.Template.Ports {
		if p.Mode != Ingress {
			continue
		}
		any = true
		if _, ok := to.Spec.Template.RedirectPort(p); !ok {
			return fmt.Sprintf("%s publishes %d for its port %d/%s, and %s publishes neither that port nor a single other one of %s",
				from.ID, p.Published, p.Target, p.Protocol, to.ID, p.Protocol)
		}
	}
	if !any {
		return fmt.Sprintf("%s publishes no port on every node", from.ID)
	}
	return ""
}
