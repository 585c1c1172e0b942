package cluster

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Bounds of networks.
const (
	MaxNetworks     = 64  // of one stack
	MaxNetworkLinks = 32  // of one service
	MaxAliases      = 64  // of one service in one network
	MaxAliasLength  = 253 // bytes, as of any name of DNS (RFC 1035, section 3.1)
	MaxRoutes       = 64  // of one node
)

// Lengths of the subnets that a user may ask for.
const (
	minSubnetBits = 16
	maxSubnetBits = 28
)

// networkName is what Compose takes, and what engines name networks by.
var networkName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)

// ValidateNetworkName reports whether name may name a network; the error is a
// *FieldError.
func ValidateNetworkName(field, name string) error {
	if len(name) > MaxNameLength || !networkName.MatchString(name) {
		return Invalid(field, fmt.Sprintf("%q is not a network's name", clip(name)),
			fmt.Sprintf("use at most %d letters, digits, dots, hyphens and underscores, and begin with a letter or a digit", MaxNameLength))
	}
	return nil
}

// Validate reports the first rule that n breaks as a *FieldError; field is the
// place of n.
func (n *NetworkSpec) Validate(field string) error {
	if err := ValidateNetworkName(field, n.Name); err != nil {
		return err
	}
	if n.Subnet == (netip.Prefix{}) {
		return nil
	}
	return ValidateSubnet(at(field, "ipam.config.subnet"), n.Subnet)
}

// ValidateSubnet reports whether a network may have the subnet.
func ValidateSubnet(field string, p netip.Prefix) error {
	const hint = "give one such as 172.28.0.0/16, or leave it out for one of the cluster's pool"
	switch a := p.Addr(); {
	case !p.IsValid() || !a.Is4():
		return Invalid(field, "is not a range of IPv4 addresses", hint)
	case p.Masked() != p:
		return Invalid(field, fmt.Sprintf("%s does not begin at its first address", p), fmt.Sprintf("write %s", p.Masked()))
	case p.Bits() < minSubnetBits || p.Bits() > maxSubnetBits:
		return Invalid(field, fmt.Sprintf("%s is not between a /%d and a /%d", p, minSubnetBits, maxSubnetBits), hint)
	case a.As4()[0] == 0 || a.IsLoopback() || a.IsLinkLocalUnicast() || a.As4()[0] >= 224:
		return Invalid(field, fmt.Sprintf("%s has addresses that no container can have", p), hint)
	}
	return nil
}

// ValidateStackNetworks checks the networks that a stack declares, and that its
// services name none of the stack's own besides. Whether those of other stacks are
// there is not known here.
func ValidateStackNetworks(stack string, networks []NetworkSpec, services map[string]ServiceSpec) error {
	if len(networks) > MaxNetworks {
		return Invalid("networks", fmt.Sprintf("has %d entries, at most %d are allowed", len(networks), MaxNetworks), "split the stack")
	}
	declared := map[string]bool{}
	for i := range networks {
		n := &networks[i]
		field := at("networks", clip(n.Name))
		if err := n.Validate(field); err != nil {
			return err
		}
		if declared[n.Name] {
			return Invalid(field, "is declared twice", "remove one of the two")
		}
		declared[n.Name] = true
		for _, o := range networks[:i] {
			if n.Subnet.IsValid() && o.Subnet.Overlaps(n.Subnet) {
				return Invalid(at(field, "ipam.config.subnet"), fmt.Sprintf("%s overlaps %s of network %s", n.Subnet, o.Subnet, o.Name), "give the two subnets of their own")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(services)) {
		if err := refuseUndeclared(stack, name, services[name].Template.Networks, declared); err != nil {
			return err
		}
	}
	return nil
}

func refuseUndeclared(stack, service string, links []NetworkLink, declared map[string]bool) error {
	for _, l := range links {
		if l.Network.Stack() == stack && !declared[l.Network.Name()] {
			return Invalid(fmt.Sprintf("services.%s.networks", service), fmt.Sprintf("network %q is not declared", clip(l.Network.Name())), "declare it under networks of the file, or remove it there")
		}
	}
	return nil
}

// validateNetworks checks the template's places in networks.
func (t *Template) validateNetworks(field string) error {
	switch mode := t.Container.NetworkMode; {
	case len(t.Networks) == 0:
		return nil
	case mode != "":
		return Invalid(field, "is set together with network_mode: "+clip(mode), "remove one of the two")
	case len(t.Networks) > MaxNetworkLinks:
		return Invalid(field, fmt.Sprintf("has %d entries, at most %d are allowed", len(t.Networks), MaxNetworkLinks), "")
	}
	for i := range t.Networks {
		l := &t.Networks[i]
		if err := l.Validate(field); err != nil {
			return err
		}
		if slices.ContainsFunc(t.Networks[:i], func(o NetworkLink) bool { return o.Network == l.Network }) {
			return Invalid(field, fmt.Sprintf("network %q is given twice", clip(string(l.Network))), "remove one of the two")
		}
	}
	return nil
}

// Validate reports the first rule that l breaks as a *FieldError; field is the
// place of the service's networks.
func (l *NetworkLink) Validate(field string) error {
	if err := first(ValidateName(field, l.Network.Stack()), ValidateNetworkName(field, l.Network.Name())); err != nil {
		return err
	}
	field = at(at(field, l.Network.Name()), "aliases")
	if len(l.Aliases) > MaxAliases {
		return Invalid(field, fmt.Sprintf("has %d entries, at most %d are allowed", len(l.Aliases), MaxAliases), "")
	}
	for i, a := range l.Aliases {
		if !isHostName(a) {
			return Invalid(fmt.Sprintf("%s[%d]", field, i), fmt.Sprintf("%q is not a host name", clip(a)),
				"use letters, digits, hyphens and underscores, and dots between parts of at most 63 bytes")
		}
	}
	return nil
}

// isHostName reports whether DNS can carry the name.
func isHostName(name string) bool {
	if len(name) > MaxAliasLength || !hostname.MatchString(name) {
		return false
	}
	for part := range strings.SplitSeq(name, ".") {
		if part == "" || len(part) > MaxNameLength {
			return false
		}
	}
	return true
}
