package compose

import "github.com/musterhq/muster/cluster"

// Stack is what a set of Compose files asks for.
type Stack struct {
	Name     string    `json:"name"`
	Services []Service `json:"services"` // by name
	Volumes  []Volume  `json:"volumes,omitempty"`
	// Networks are those that a service is in, and shared ones, by name; those of
	// other stacks are not among them.
	Networks []cluster.NetworkSpec `json:"networks,omitempty"`
	// Warnings name what the files say and Muster does not do, by field.
	Warnings []Warning `json:"warnings,omitempty"`
}

// Service is one entry of the files' services.
type Service struct {
	Name string              `json:"name"`
	Spec cluster.ServiceSpec `json:"spec"`
	// Build is how to make Spec's image; nil when the image is only named.
	Build *Build `json:"build,omitempty"`
}

// Build is the recipe of an image.
type Build struct {
	Context    string            `json:"context"`    // absolute path, or an address that the builder understands
	Dockerfile string            `json:"dockerfile"` // relative to Context
	Args       map[string]string `json:"args,omitempty"`
	Target     string            `json:"target,omitempty"`
}

// Volume is a named volume that at least one service mounts.
type Volume struct {
	Name string `json:"name"` // as in Mount.Source
	// External volumes exist already and belong to nobody's stack.
	External bool              `json:"external,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
}

// Warning names a field and what does not happen.
type Warning struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (w Warning) String() string { return w.Field + ": " + w.Message }

// Specs returns the services by name.
func (s *Stack) Specs() map[string]cluster.ServiceSpec {
	out := make(map[string]cluster.ServiceSpec, len(s.Services))
	for _, service := range s.Services {
		out[service.Name] = service.Spec
	}
	return out
}

// Limits says what holds for this stack beyond its fields, one sentence each,
// for people to read once at a deploy.
func (s *Stack) Limits() []string {
	var out []string
	if len(s.Volumes) > 0 {
		out = append(out, "Volumes are local to a node and are not copied between nodes: "+
			"hold a service that needs its data with deploy.placement.constraints.")
	}
	return out
}
