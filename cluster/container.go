package cluster

import (
	"strings"
	"time"
)

// ContainerSpec is what a task's container is made from, in Docker's terms.
// Lists keep the user's order; maps are encoded in key order.
type ContainerSpec struct {
	Image       Image             `cbor:"1,keyasint" json:"image"`
	Command     []string          `cbor:"2,keyasint,omitempty" json:"command,omitempty"`
	Entrypoint  []string          `cbor:"3,keyasint,omitempty" json:"entrypoint,omitempty"`
	Env         map[string]string `cbor:"4,keyasint,omitempty" json:"env,omitempty"`
	Labels      map[string]string `cbor:"5,keyasint,omitempty" json:"labels,omitempty"`
	Healthcheck *Healthcheck      `cbor:"6,keyasint,omitempty" json:"healthcheck,omitempty"`
	Mounts      []Mount           `cbor:"7,keyasint,omitempty" json:"mounts,omitempty"`
	User        string            `cbor:"8,keyasint,omitempty" json:"user,omitempty"`
	WorkingDir  string            `cbor:"9,keyasint,omitempty" json:"working_dir,omitempty"`
	CapAdd      []string          `cbor:"10,keyasint,omitempty" json:"cap_add,omitempty"`
	CapDrop     []string          `cbor:"11,keyasint,omitempty" json:"cap_drop,omitempty"`
	ReadOnly    bool              `cbor:"12,keyasint,omitempty" json:"read_only,omitempty"`
	Ulimits     []Ulimit          `cbor:"13,keyasint,omitempty" json:"ulimits,omitempty"`
	ExtraHosts  []string          `cbor:"14,keyasint,omitempty" json:"extra_hosts,omitempty"` // "name:address"
	Init        *bool             `cbor:"15,keyasint,omitempty" json:"init,omitempty"`
	Devices     []Device          `cbor:"16,keyasint,omitempty" json:"devices,omitempty"`
	Privileged  bool              `cbor:"17,keyasint,omitempty" json:"privileged,omitempty"`
	Logging     *Logging          `cbor:"18,keyasint,omitempty" json:"logging,omitempty"`
	StopSignal  string            `cbor:"19,keyasint,omitempty" json:"stop_signal,omitempty"`
	StopGrace   time.Duration     `cbor:"20,keyasint,omitempty" json:"stop_grace,omitempty"` // 0: DefaultStopGrace
	Hostname    string            `cbor:"21,keyasint,omitempty" json:"hostname,omitempty"`
	TTY         bool              `cbor:"22,keyasint,omitempty" json:"tty,omitempty"`
	OpenStdin   bool              `cbor:"23,keyasint,omitempty" json:"stdin_open,omitempty"`
	ShmSize     int64             `cbor:"24,keyasint,omitempty" json:"shm_size,omitempty"` // bytes
	Sysctls     map[string]string `cbor:"25,keyasint,omitempty" json:"sysctls,omitempty"`
	SecurityOpt []string          `cbor:"26,keyasint,omitempty" json:"security_opt,omitempty"`
	GroupAdd    []string          `cbor:"27,keyasint,omitempty" json:"group_add,omitempty"`
	// NetworkMode is "" (the stack's network), "host" or "none".
	NetworkMode string `cbor:"28,keyasint,omitempty" json:"network_mode,omitempty"`
	// Probe is the check that the node makes, beside the engine's Healthcheck.
	Probe *Probe `cbor:"29,keyasint,omitempty" json:"probe,omitempty" since:"3"`
}

// DefaultStopGrace is the time between the stop signal and SIGKILL, as in Docker.
const DefaultStopGrace = 10 * time.Second

// Grace is the spec's stop grace period or the default.
func (c *ContainerSpec) Grace() time.Duration {
	if c.StopGrace <= 0 {
		return DefaultStopGrace
	}
	return c.StopGrace
}

// Image is a reference as the user wrote it and what it was resolved to, once,
// at deploy.
type Image struct {
	Ref string `cbor:"1,keyasint" json:"ref"`
	// Digest is what every node runs: a repository digest
	// ("name@sha256:...") or, for an image that no registry holds, the local
	// image ID ("sha256:...").
	Digest string `cbor:"2,keyasint,omitempty" json:"digest,omitempty"`
}

// Hash is the digest without the repository's name: what equal images have in
// common wherever they are from. It is "" for one that is not resolved.
func (i Image) Hash() string { return i.Digest[strings.LastIndexByte(i.Digest, '@')+1:] }

// Local reports whether the image was resolved to a local image ID.
func (i Image) Local() bool { return len(i.Digest) > 7 && i.Digest[:7] == "sha256:" }

// Healthcheck is Docker's health check. A Test of ["NONE"] disables the image's own.
type Healthcheck struct {
	Test          []string      `cbor:"1,keyasint,omitempty" json:"test,omitempty"`
	Interval      time.Duration `cbor:"2,keyasint,omitempty" json:"interval,omitempty"`
	Timeout       time.Duration `cbor:"3,keyasint,omitempty" json:"timeout,omitempty"`
	StartPeriod   time.Duration `cbor:"4,keyasint,omitempty" json:"start_period,omitempty"`
	StartInterval time.Duration `cbor:"5,keyasint,omitempty" json:"start_interval,omitempty"`
	Retries       int           `cbor:"6,keyasint,omitempty" json:"retries,omitempty"`
}

// MountType is Docker's kind of mount.
type MountType string

// Mount types.
const (
	MountBind   MountType = "bind"
	MountVolume MountType = "volume"
	MountTmpfs  MountType = "tmpfs"
)

// Mount attaches storage to a container.
type Mount struct {
	Type     MountType `cbor:"1,keyasint" json:"type"`
	Source   string    `cbor:"2,keyasint,omitempty" json:"source,omitempty"` // host path or volume name
	Target   string    `cbor:"3,keyasint" json:"target"`
	ReadOnly bool      `cbor:"4,keyasint,omitempty" json:"read_only,omitempty"`
	// CreateHostPath makes a missing bind source, as Compose's short syntax does.
	CreateHostPath bool   `cbor:"5,keyasint,omitempty" json:"create_host_path,omitempty"`
	Propagation    string `cbor:"6,keyasint,omitempty" json:"propagation,omitempty"`
	NoCopy         bool   `cbor:"7,keyasint,omitempty" json:"nocopy,omitempty"`
	TmpfsSize      int64  `cbor:"8,keyasint,omitempty" json:"tmpfs_size,omitempty"` // bytes
	TmpfsMode      uint32 `cbor:"9,keyasint,omitempty" json:"tmpfs_mode,omitempty"`
	// External names a volume that exists already; it is used under its own
	// name and never created or removed.
	External bool              `cbor:"10,keyasint,omitempty" json:"external,omitempty"`
	Labels   map[string]string `cbor:"11,keyasint,omitempty" json:"labels,omitempty"` // of a named volume
}

// Ulimit is one resource limit of the container's processes (setrlimit(2)).
type Ulimit struct {
	Name string `cbor:"1,keyasint" json:"name"`
	Soft int64  `cbor:"2,keyasint" json:"soft"`
	Hard int64  `cbor:"3,keyasint" json:"hard"`
}

// Device hands a host device to the container.
type Device struct {
	Source      string `cbor:"1,keyasint" json:"source"`
	Target      string `cbor:"2,keyasint" json:"target"`
	Permissions string `cbor:"3,keyasint,omitempty" json:"permissions,omitempty"` // "rwm"
}

// Logging selects the engine's log driver.
type Logging struct {
	Driver  string            `cbor:"1,keyasint,omitempty" json:"driver,omitempty"`
	Options map[string]string `cbor:"2,keyasint,omitempty" json:"options,omitempty"`
}
