package cluster

import (
	"net/netip"
	"slices"
	"time"
)

// Mode is how many tasks a service has.
type Mode string

// Modes of a service.
const (
	Replicated Mode = "replicated" // Replicas tasks
	Global     Mode = "global"     // one task on every eligible node
)

// Service is one deployed entry of a Compose file.
type Service struct {
	ID         ServiceID   `cbor:"1,keyasint" json:"id"`
	Generation uint64      `cbor:"2,keyasint" json:"generation"` // of Spec.Template
	Spec       ServiceSpec `cbor:"3,keyasint" json:"spec"`
	// History holds other generations that are kept or still have tasks, the one
	// that was current last at the end.
	History []Generation `cbor:"4,keyasint,omitempty" json:"history,omitempty"`
	// Removing is set when the user removed the service; it goes when its
	// last task has ended.
	Removing bool      `cbor:"5,keyasint,omitempty" json:"removing,omitempty"`
	Created  time.Time `cbor:"6,keyasint" json:"created"`
	Updated  time.Time `cbor:"7,keyasint" json:"updated"`
	// SetAside is why the leader stopped deciding for this service (its spec
	// makes the decider fail); a new deploy clears it.
	SetAside string `cbor:"8,keyasint,omitempty" json:"set_aside,omitempty"`
	// Release is of the current generation.
	Release Release `cbor:"9,keyasint,omitzero" json:"release,omitzero" since:"3"`
	// Returned is set while the current generation is one that the service came
	// back to.
	Returned *Return `cbor:"10,keyasint,omitempty" json:"returned,omitempty" since:"3"`
	// Redirect is the service whose tasks get the new connections to the published
	// ports of this one; "": its own do.
	Redirect ServiceID `cbor:"11,keyasint,omitempty" json:"redirect,omitempty" since:"3"`
	// Address is the service's own in all of its networks, for its life; zero for a
	// service in none.
	Address netip.Addr `cbor:"12,keyasint,omitzero" json:"address,omitzero" since:"3"`
}

// Generation is another version of a service's template.
type Generation struct {
	Number   uint64    `cbor:"1,keyasint" json:"number"`
	Template Template  `cbor:"2,keyasint" json:"template"`
	Created  time.Time `cbor:"3,keyasint" json:"created"`
	Release  Release   `cbor:"4,keyasint,omitzero" json:"release,omitzero" since:"3"`
}

// Template returns what tasks of the given generation run; ok is false when
// that generation is no longer kept.
func (s *Service) Template(generation uint64) (t Template, ok bool) {
	if generation == s.Generation {
		return s.Spec.Template, true
	}
	for i := range s.History {
		if s.History[i].Number == generation {
			return s.History[i].Template, true
		}
	}
	return Template{}, false
}

// Digests are the images of all generations that are kept, each once.
func (s *Service) Digests() []string {
	var out []string
	add := func(digest string) {
		if digest != "" && !slices.Contains(out, digest) {
			out = append(out, digest)
		}
	}
	add(s.Spec.Template.Container.Image.Digest)
	for i := range s.History {
		add(s.History[i].Template.Container.Image.Digest)
	}
	return out
}

// Networks are those that a generation of the service is in which is kept, as it
// may come back to it, each once.
func (s *Service) Networks() []NetworkID {
	var out []NetworkID
	add := func(t *Template) {
		for _, l := range t.Networks {
			if !slices.Contains(out, l.Network) {
				out = append(out, l.Network)
			}
		}
	}
	add(&s.Spec.Template)
	for i := range s.History {
		add(&s.History[i].Template)
	}
	return out
}

// ServiceSpec is what the user wants. A change of Template makes a new
// generation and replaces tasks; a change of the rest does not.
type ServiceSpec struct {
	Mode     Mode     `cbor:"1,keyasint" json:"mode"`
	Replicas int      `cbor:"2,keyasint,omitempty" json:"replicas,omitempty"` // replicated only
	Template Template `cbor:"3,keyasint" json:"template"`
	Update   Update   `cbor:"4,keyasint" json:"update,omitzero"`
	// Preferences spread tasks over the values of node labels, most
	// important first: "node.labels.zone".
	Preferences []string `cbor:"5,keyasint,omitempty" json:"preferences,omitempty"`
	// Rollback is how the tasks return to an earlier generation; nil: as Update,
	// without its delay.
	Rollback  *Update   `cbor:"6,keyasint,omitempty" json:"rollback,omitempty" since:"3"`
	Placement Placement `cbor:"20,keyasint,omitzero" json:"placement,omitzero" since:"3"`
	Balance   Balance   `cbor:"21,keyasint,omitzero" json:"balance,omitzero" since:"3"`
	// DependsOn are services that this one waits for before its first start.
	DependsOn []Dependency `cbor:"22,keyasint,omitempty" json:"depends_on,omitempty" since:"3"`
}

// Template is the part of the spec that a task is bound to.
type Template struct {
	Container    ContainerSpec `cbor:"1,keyasint" json:"container"`
	Reservations Resources     `cbor:"2,keyasint" json:"reservations,omitzero"`
	Limits       Resources     `cbor:"3,keyasint" json:"limits,omitzero"`
	PidsLimit    int64         `cbor:"4,keyasint,omitempty" json:"pids_limit,omitempty"`
	Restart      RestartPolicy `cbor:"5,keyasint" json:"restart,omitzero"`
	Constraints  []string      `cbor:"6,keyasint,omitempty" json:"constraints,omitempty"` // see ParseConstraint
	MaxPerNode   int           `cbor:"7,keyasint,omitempty" json:"max_replicas_per_node,omitempty"`
	Ports        []Port        `cbor:"8,keyasint,omitempty" json:"ports,omitempty"`
	// Force makes an otherwise equal template a new generation (restart).
	Force uint64 `cbor:"9,keyasint,omitempty" json:"force,omitempty"`
	// Devices are asked of the task's node, each kind once; Reservations.MilliGPU
	// is what there is of GPUs in them.
	Devices []DeviceRequest `cbor:"10,keyasint,omitempty" json:"devices,omitempty" since:"3"`
	// Networks are those that the tasks are in, the first one with the way to the
	// world; none with a NetworkMode, or of a stack from before there were any.
	Networks []NetworkLink `cbor:"11,keyasint,omitempty" json:"networks,omitempty" since:"3"`
}

// Stateful reports whether the task has files on its host that another one
// elsewhere would not find.
func (t *Template) Stateful() bool {
	return slices.ContainsFunc(t.Container.Mounts, func(m Mount) bool {
		return m.Type == MountBind || m.Type == MountVolume && m.Source != ""
	})
}

// RestartCondition says after which exits the node's agent restarts a container.
type RestartCondition string

// Restart conditions.
const (
	RestartAny       RestartCondition = "any"
	RestartOnFailure RestartCondition = "on-failure"
	RestartNever     RestartCondition = "none"
)

// RestartPolicy governs restarts in place.
type RestartPolicy struct {
	Condition   RestartCondition `cbor:"1,keyasint,omitempty" json:"condition,omitempty"` // "": any
	Delay       time.Duration    `cbor:"2,keyasint,omitempty" json:"delay,omitempty"`     // first delay; it doubles
	MaxAttempts int              `cbor:"3,keyasint,omitempty" json:"max_attempts,omitempty"`
	// Window is how long a container must run for its restarts to be
	// forgotten; 0 is the default.
	Window time.Duration `cbor:"4,keyasint,omitempty" json:"window,omitempty"`
}

// DefaultRestartWindow is the window of a policy that names none.
const DefaultRestartWindow = 60 * time.Second

// Forgives is how long a container must run for its failures to be forgotten.
func (p RestartPolicy) Forgives() time.Duration {
	if p.Window > 0 {
		return p.Window
	}
	return DefaultRestartWindow
}

// PortMode is where a published port answers.
type PortMode string

// Port modes.
const (
	Ingress  PortMode = "ingress" // on every node
	HostPort PortMode = "host"    // on the task's node only
)

// Port publishes a container's port.
type Port struct {
	Target    uint16   `cbor:"1,keyasint" json:"target"`
	Published uint16   `cbor:"2,keyasint,omitempty" json:"published,omitempty"`
	Protocol  string   `cbor:"3,keyasint" json:"protocol"` // tcp or udp
	Mode      PortMode `cbor:"4,keyasint" json:"mode"`
	HostIP    string   `cbor:"5,keyasint,omitempty" json:"host_ip,omitempty"` // host mode only
}

// HostPorts are the ports that one task of t occupies on its node.
func (t *Template) HostPorts() []Port {
	var out []Port
	for _, p := range t.Ports {
		if p.Mode == HostPort && p.Published != 0 {
			out = append(out, p)
		}
	}
	return out
}
