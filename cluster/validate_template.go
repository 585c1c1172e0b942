package cluster

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Bounds of the lists of one service.
const (
	MaxPorts       = 1_000
	MaxPreferences = 10
	// MaxPids is the largest number of processes that Linux counts on a
	// 64-bit machine (PID_MAX_LIMIT).
	MaxPids = 1 << 22
	// MinMemoryLimit is the smallest memory limit, in bytes, that Docker
	// Engine takes since 20.10.
	MinMemoryLimit = 6 << 20
)

// Validate reports the first rule that t breaks as a *FieldError. field is the
// place of the service, as in ServiceSpec.Validate.
func (t *Template) Validate(field string) error {
	return first(
		t.Container.Validate(field),
		t.validateResources(at(field, "deploy.resources")),
		t.validateDevices(at(field, "x-muster.resources.devices")),
		t.Restart.Validate(at(field, "deploy.restart_policy")),
		validateConstraints(at(field, "deploy.placement.constraints"), t.Constraints),
		validateCount(at(field, "deploy.placement.max_replicas_per_node"), t.MaxPerNode, MaxReplicas, "leave it out for no limit"),
		t.validatePorts(at(field, "ports")),
		t.validateNetworks(at(field, "networks")),
	)
}

func (t *Template) validateResources(field string) error {
	limits, reservations := at(field, "limits"), at(field, "reservations")
	if err := first(t.Limits.Validate(limits), t.Reservations.Validate(reservations)); err != nil {
		return err
	}
	const hint = "raise the limit or reserve less"
	switch l, r := t.Limits, t.Reservations; {
	case l.MilliCPU > 0 && r.MilliCPU > l.MilliCPU:
		return Invalid(reservations+".cpus", fmt.Sprintf("%s is above the limit of %s", FormatCPU(r.MilliCPU), FormatCPU(l.MilliCPU)), hint)
	case l.Memory > 0 && r.Memory > l.Memory:
		return Invalid(reservations+".memory", fmt.Sprintf("%s is above the limit of %s", FormatBytes(r.Memory), FormatBytes(l.Memory)), hint)
	case l.Disk > 0 && r.Disk > l.Disk:
		return Invalid(reservations+".disk", fmt.Sprintf("%s is above the limit of %s", FormatBytes(r.Disk), FormatBytes(l.Disk)), hint)
	case l.Bandwidth > 0:
		return Invalid(limits+".bandwidth", "is set, and nothing can limit it", "reserve it only")
	case l.MilliGPU > 0:
		return Invalid(limits+".gpu", "is set, and nothing can limit it", "reserve it only")
	case l.Memory > 0 && l.Memory < MinMemoryLimit:
		return Invalid(limits+".memory", fmt.Sprintf("%s is less than the %s that the engine takes", FormatBytes(l.Memory), FormatBytes(MinMemoryLimit)),
			"give a size such as 64M")
	case t.PidsLimit < 0 || t.PidsLimit > MaxPids:
		return Invalid(limits+".pids", fmt.Sprintf("%d is not between 0 and %d", t.PidsLimit, MaxPids), "leave it out for no limit")
	}
	return nil
}

func validateConstraints(field string, list []string) error {
	if len(list) > MaxConstraints {
		return Invalid(field, fmt.Sprintf("has %d entries, at most %d are allowed", len(list), MaxConstraints), "")
	}
	for i, s := range list {
		if _, err := ParseConstraint(s); err != nil {
			return renamed(fmt.Sprintf("%s[%d]", field, i), err)
		}
	}
	return nil
}

func validatePreferences(field string, list []string) error {
	if len(list) > MaxPreferences {
		return Invalid(field, fmt.Sprintf("has %d entries, at most %d are allowed", len(list), MaxPreferences), "")
	}
	for i, s := range list {
		if name, ok := strings.CutPrefix(s, "node.labels."); !ok || name == "" {
			return Invalid(fmt.Sprintf("%s[%d].spread", field, i), fmt.Sprintf("%q is not a node label", clip(s)), "write it as node.labels.zone")
		}
	}
	return nil
}

func (t *Template) validatePorts(field string) error {
	mode := t.Container.NetworkMode
	switch {
	case len(t.Ports) > MaxPorts:
		return Invalid(field, fmt.Sprintf("has %d entries, at most %d are allowed", len(t.Ports), MaxPorts), "")
	case len(t.Ports) > 0 && mode == "host":
		return Invalid(field, "is set together with network_mode: host", "remove it: the container listens on the node's own ports")
	case len(t.Ports) > 0 && mode == "none":
		return Invalid(field, "is set together with network_mode: none", "remove one of the two")
	}
	for i, p := range t.Ports {
		where := fmt.Sprintf("%s[%d]", field, i)
		if err := p.Validate(where); err != nil {
			return err
		}
		for _, q := range t.Ports[:i] {
			if p.clashes(q) {
				return Invalid(where, fmt.Sprintf("publishes port %d/%s a second time", p.Published, p.Protocol), "remove one of the two")
			}
		}
	}
	return nil
}

// Validate reports the first rule that p breaks as a *FieldError; field is the
// place of p.
func (p Port) Validate(field string) error {
	switch {
	case p.Target == 0:
		return Invalid(at(field, "target"), "is 0", "give a port between 1 and 65535")
	case p.Protocol != "tcp" && p.Protocol != "udp":
		return Invalid(at(field, "protocol"), fmt.Sprintf("%q is not supported", clip(p.Protocol)), "use tcp or udp")
	}
	switch p.Mode {
	case Ingress:
		return p.validateIngress(field)
	case HostPort:
		if p.HostIP == "" {
			return nil
		}
		if _, err := netip.ParseAddr(p.HostIP); err != nil {
			return Invalid(at(field, "host_ip"), fmt.Sprintf("%q is not an IP address", clip(p.HostIP)), "give an address such as 127.0.0.1")
		}
		return nil
	}
	return Invalid(at(field, "mode"), fmt.Sprintf("%q is not a mode", clip(string(p.Mode))), "use ingress or host")
}

func (p Port) validateIngress(field string) error {
	switch {
	case p.Published == 0:
		return Invalid(at(field, "published"), fmt.Sprintf("is missing for target %d", p.Target),
			"give the port that every node listens on, or use mode: host")
	case p.HostIP != "":
		return Invalid(at(field, "host_ip"), "is set for an ingress port, which every node answers on", "use mode: host")
	}
	return nil
}

// clashes reports whether p and q cannot both be published by one task.
func (p Port) clashes(q Port) bool {
	if p.Published == 0 || p.Published != q.Published || p.Protocol != q.Protocol {
		return false
	}
	return p.Mode == Ingress || q.Mode == Ingress || p.HostIP == q.HostIP || p.anyAddress() || q.anyAddress()
}

func (p Port) anyAddress() bool {
	if p.HostIP == "" {
		return true
	}
	addr, err := netip.ParseAddr(p.HostIP)
	return err == nil && addr.IsUnspecified()
}

// renamed gives a *FieldError another field.
func renamed(field string, err error) error {
	var fe *FieldError
	if errors.As(err, &fe) {
		return Invalid(field, fe.Reason, fe.Hint)
	}
	return err
}
