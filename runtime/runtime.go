package runtime

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Labels that every container, network and volume of Muster carries.
const (
	LabelCluster    = "muster.cluster"
	LabelStack      = "muster.stack"
	LabelService    = "muster.service"
	LabelSlot       = "muster.slot"
	LabelTask       = "muster.task"
	LabelGeneration = "muster.generation"
	// LabelNetworks names the networks of a container that is in several.
	LabelNetworks = "muster.networks"
)

// Errors that callers tell apart with errors.Is.
var (
	ErrNotFound = errors.New("not found")      // no such container, image, network or volume
	ErrConflict = errors.New("name is in use") // another container has the name
	ErrPortBusy = errors.New("port is in use") // a host port is taken
	// ErrAddressBusy: a container's address, or a network's subnet, is taken.
	ErrAddressBusy = errors.New("address is in use")
	ErrRefused     = errors.New("refused by policy")
	ErrEngine      = errors.New("engine does not answer") // down, hung or past the deadline
	ErrInvalid     = errors.New("refused by the engine")  // a spec that can never work here
)

// Driver is a container engine on this host. Every method honours its context
// and also has a deadline of its own class; all are safe for concurrent use.
// A call that failed may have taken effect nevertheless: look before retrying.
type Driver interface {
	Containers
	Images
	// Info describes the engine and its host.
	Info(ctx context.Context) (Info, error)
	// Ping answers quickly whether the engine answers at all.
	Ping(ctx context.Context) error
	Close() error
}

// Containers is the part of a Driver that handles containers.
type Containers interface {
	// List returns the containers that carry LabelCluster=cluster, running or
	// not, as a resync: it is the truth, events are hints.
	List(ctx context.Context, cluster string) ([]Container, error)
	// Inspect returns one container by ID or name, ErrNotFound when absent.
	Inspect(ctx context.Context, id string) (Container, error)
	// Create validates the final payload, makes the networks and volumes that
	// it needs, and makes the container without starting it. ErrConflict when
	// the name is taken, or a network's by another that containers use;
	// ErrAddressBusy when another network of this host has the addresses of one;
	// ErrNotFound when the image is not on this host; ErrRefused when policy
	// forbids it; ErrInvalid when the engine calls the spec wrong.
	Create(ctx context.Context, c Create) (id string, err error)
	// Start starts a container; starting a running one is no error. ErrNotFound
	// when it, or a network that it was to be in, is not there: it must be made
	// anew. ErrAddressBusy when another container has its address.
	Start(ctx context.Context, id string) error
	// Stop sends the stop signal, waits up to grace, kills. Stopping a stopped
	// or absent container is no error.
	Stop(ctx context.Context, id string, grace time.Duration) error
	// Remove removes a container with its anonymous volumes, by force when it
	// runs. Removing an absent one is no error.
	Remove(ctx context.Context, id string) error
	// Events streams changes of containers that carry LabelCluster=cluster
	// until ctx ends or the stream breaks, which closes the channel.
	Events(ctx context.Context, cluster string) (<-chan Event, error)
	// Logs copies a container's output to w until its end, or until ctx ends
	// when Follow is set.
	Logs(ctx context.Context, id string, o LogOptions, w LogWriter) error
	// Stats says what a running container has used up and uses; ErrNotFound for
	// one that is absent or does not run.
	Stats(ctx context.Context, id string) (Stats, error)
	// Exec runs a command in a container until it ends; the result is its exit code.
	Exec(ctx context.Context, id string, e Exec) (exitCode int, err error)
	// RemoveNetworks removes this cluster's networks that no container uses
	// and whose name is not in keep.
	RemoveNetworks(ctx context.Context, cluster string, keep map[string]bool) error
}

// Images is the part of a Driver that handles images.
type Images interface {
	// HasImage reports whether the image (digest reference or image ID) is here.
	HasImage(ctx context.Context, digest string) (bool, error)
	// Resolve turns a reference into what all nodes shall run: the image ID of one
	// that was built on this host, else what the registry says (a repository
	// digest), else the repository digest of this host's image. ErrNotFound when
	// neither knows it.
	Resolve(ctx context.Context, ref string, login *Login) (digest string, err error)
	// Pull fetches a digest reference from its registry.
	Pull(ctx context.Context, digest string, login *Login) error
	// Save writes the image as a tar stream (docker save), Load reads one and
	// returns the IDs of the images that it held. The stream may leave out the
	// files of layers that are here already, on the same layers below, where the
	// engine names images by the hash of their configuration; a stream that
	// leaves out others is an error.
	Save(ctx context.Context, image string, w io.Writer) error
	Load(ctx context.Context, r io.Reader) (ids []string, err error)
	// Layers returns what an image (digest reference or image ID) is made of: the
	// SHA-256 digests of its layers as they are unpacked, lowest first.
	Layers(ctx context.Context, image string) ([]string, error)
	// RemoveImage removes an image by its ID, with all of its names. ErrConflict
	// when a container, running or not, was made from it. Removing an absent one
	// is no error.
	RemoveImage(ctx context.Context, id string) error
	// UsedImages are the IDs of the images of all containers on this host, whoever
	// made them.
	UsedImages(ctx context.Context) ([]string, error)
	// Tag gives a local image a reference.
	Tag(ctx context.Context, id, ref string) error
	// ListImages returns the host's images.
	ListImages(ctx context.Context) ([]Image, error)
}

// Builder is a Driver that can also build images. Not every engine can.
type Builder interface {
	// Build makes an image from the build context (a tar stream), writes what
	// the build prints to out, and returns the image's ID.
	Build(ctx context.Context, b Build, contextTar io.Reader, out io.Writer) (id string, err error)
}

// Build says how to build an image.
type Build struct {
	Tag        string            // reference that the image gets
	Dockerfile string            // path within the context
	Args       map[string]string // build arguments
	Target     string            // stage to stop at; "": the last
}

// PeerRepository is the repository under which images are kept that came from
// a peer instead of their registry. No user may give an image such a name.
const PeerRepository = "muster/peer"

// PeerTag is the reference under which an image that came from a peer is kept:
// an engine knows a repository digest only of what it pulled itself. Whoever
// loads such an image tags it so; HasImage, Save and Create look there for a
// repository digest ("name@sha256:...") that the engine does not know.
func PeerTag(digest string) string {
	_, hash, _ := strings.Cut(digest, "@")
	return PeerRepository + ":" + strings.ReplaceAll(hash, ":", "-")
}

// Info describes an engine and its host.
type Info struct {
	EngineVersion string
	OS, Arch      string
	MilliCPU      int64 // of the host, as the engine sees it
	Memory        int64 // bytes
	Labels        map[string]string
	// DataRoot is the directory that holds images and containers; "" where that
	// is not on this host's file systems.
	DataRoot string
	Settings Settings
}

// Settings is how an engine is set up, in its own words; "" where it does not
// say.
type Settings struct {
	APIVersion    string
	StorageDriver string
	CgroupDriver  string
	CgroupVersion string
	LogDriver     string
	LiveRestore   bool
	Warnings      []string
}

// Create is the request for a container.
type Create struct {
	Name   string
	Labels map[string]string // Muster's own; the spec's are added
	Spec   cluster.ContainerSpec
	Limits cluster.Resources // 0: none
	// Reservations become the CPU weight and the memory soft limit.
	Reservations cluster.Resources
	PidsLimit    int64
	// Devices are those of this host that placement gave the container, beside the
	// spec's own. ErrRefused for one that cannot be handed out here.
	Devices []Device
	// Networks are those that the container joins, the first one with the way to
	// the world; none with Spec.NetworkMode host or none.
	Networks []Network
	// DNS are the servers that names are asked of; none: the engine's.
	DNS []netip.Addr
	// Publish lists the container ports to publish; Host 0 lets the engine choose.
	Publish []Publish
	Env     map[string]string // added to the spec's, which win
	// VolumeLabels go on named volumes that are made.
	VolumeLabels map[string]string
	// VolumePrefix goes before the names of named volumes that are not external.
	VolumePrefix string
}

// Device is a device of this host that tasks are given one by one, or in shares.
type Device struct {
	cluster.HostDevice
	// Paths are the device files, all of which the container gets under the same
	// names; none where the engine hands it out with the driver.
	Paths []string
}

// Publish asks for a container port on the host.
type Publish struct {
	Target   uint16
	Host     uint16 // 0: the engine chooses
	HostIP   string // "": all addresses
	Protocol string // tcp or udp
}

// Container is what the engine says of one container.
type Container struct {
	ID, Name string
	Labels   map[string]string
	Image    string // ID
	Status   Status
	Health   cluster.Health
	// Unhealthy is what the last health check said, cut short, where it failed.
	Unhealthy string
	ExitCode  int
	OOM       bool
	Error     string // the engine's own, of a failed start
	Created   time.Time
	Started   time.Time
	Finished  time.Time
	Ports     []cluster.PortBinding
	// Address is the container's own in the first of its networks, by name; the
	// zero value while it does not run, or has the host's network or none.
	Address netip.Addr
}

// Status is an engine's word for a container's life.
type Status string

// Container statuses.
const (
	StatusCreated  Status = "created"
	StatusRunning  Status = "running"
	StatusPaused   Status = "paused"
	StatusExited   Status = "exited"
	StatusRemoving Status = "removing"
	StatusDead     Status = "dead"
)

// Event is a hint that a container changed.
type Event struct {
	ContainerID string
	Labels      map[string]string
	Action      string // start, die, health_status, destroy, ...
	At          time.Time
}

// Stats is what a container uses. Two of them, some time apart, make a rate.
type Stats struct {
	At     time.Time
	CPU    time.Duration // time of all cores since the container's start
	Memory int64         // bytes, without the page cache that can be given up
}

// LogOptions selects a part of a container's output.
type LogOptions struct {
	Follow bool
	Tail   int // last lines; negative: all
	Since  time.Time
	Until  time.Time
}

// LogWriter receives log lines without their newline; stream is "stdout" or "stderr".
type LogWriter interface {
	Log(at time.Time, stream string, line []byte) error
}

// Exec is a command to run in a container.
type Exec struct {
	Cmd        []string
	Env        []string
	User       string
	WorkingDir string
	TTY        bool
	Stdin      io.Reader // nil: none
	Stdout     io.Writer
	Stderr     io.Writer
	Resize     <-chan Size // nil: fixed
}

// Size is a terminal's size in characters.
type Size struct{ Rows, Cols uint16 }

// Login is a registry credential.
type Login struct {
	Server, Username, Password, IdentityToken string
}

// Image is an image on this host.
type Image struct {
	ID      string
	Tags    []string
	Digests []string
	Size    int64 // bytes
	Created time.Time
}
