package cluster

import (
	"fmt"
	"maps"
	"slices"
)

// ValidateStack checks the stack's name, every service by its name, and what
// services of one stack must not do to each other. The first broken rule is
// returned as a *FieldError; services are taken in the order of their names.
func ValidateStack(name string, services map[string]ServiceSpec) error {
	if err := ValidateName("name", name); err != nil {
		return err
	}
	switch {
	case len(services) == 0:
		return Invalid("services", "is empty", "give the stack at least one service")
	case len(services) > MaxServices:
		return Invalid("services", fmt.Sprintf("has %d entries, at most %d are allowed", len(services), MaxServices), "split the stack")
	}
	total := 0
	names := slices.Sorted(maps.Keys(services))
	for _, service := range names {
		field := at("services", clip(service))
		if err := ValidateName(field, service); err != nil {
			return err
		}
		spec := services[service]
		size, err := spec.validate(field)
		if err != nil {
			return err
		}
		total += size
	}
	if total > MaxStackSize {
		return Invalid("services", fmt.Sprintf("take %s, at most %s are allowed", FormatBytes(int64(total)), FormatBytes(MaxStackSize)), "split the stack")
	}
	return validateClashes(names, services)
}

// validateClashes refuses an ingress port that another service of the stack
// publishes too: ingress listens on every node. Two services may share a host
// port, since placement keeps them on different nodes.
func validateClashes(names []string, services map[string]ServiceSpec) error {
	type key struct {
		port     uint16
		protocol string
	}
	type holder struct {
		service string
		mode    PortMode
	}
	taken := make(map[key]holder)
	for _, service := range names {
		for i, p := range services[service].Template.Ports {
			if p.Published == 0 {
				continue
			}
			k := key{p.Published, p.Protocol}
			h, ok := taken[k]
			if ok && h.service != service && (h.mode == Ingress || p.Mode == Ingress) {
				return Invalid(fmt.Sprintf("services.%s.ports[%d]", service, i),
					fmt.Sprintf("port %d/%s is published by service %q already", p.Published, p.Protocol, h.service),
					"publish one of them on another port")
			}
			if !ok || p.Mode == Ingress {
				taken[k] = holder{service, p.Mode}
			}
		}
	}
	return nil
}
