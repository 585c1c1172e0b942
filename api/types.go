package api

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// StaleHeader marks an answer of a node that reaches no leader: it comes from
// what that node knows and may be old.
const StaleHeader = "Muster-Stale"

// Version is the agent's build.
type Version struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// Status is the cluster at a glance.
type Status struct {
	ClusterID string   `json:"cluster_id"`
	Leader    string   `json:"leader"` // name; "" when there is none
	Voters    []string `json:"voters"` // names
	Nodes     int      `json:"nodes"`
	Services  int      `json:"services"`
	Tasks     int      `json:"tasks"` // wanted to run
	Healthy   bool     `json:"healthy"`
	Stale     bool     `json:"stale"` // answered from local state, without a leader
	Problems  []string `json:"problems"`
	Redirects []string `json:"redirects,omitempty"` // "shop/web to shop/spare"
	Encrypt   string   `json:"encrypt,omitempty"`   // "off": traffic between hosts is plain, by the operator's choice
}

// Node is a line of `node ls`. Measured fields are null when nobody measured.
type Node struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Address      string   `json:"address"`
	State        string   `json:"state"`        // ready, suspect, away, down
	Availability string   `json:"availability"` // active, cordoned, drained
	Role         string   `json:"role"`         // leader, voter, non-voter (follows the log, without a vote yet), worker
	CPUs         float64  `json:"cpus"`
	Memory       int64    `json:"memory"`      // bytes
	CPUUsed      *float64 `json:"cpu_used"`    // cores
	MemoryUsed   *int64   `json:"memory_used"` // bytes
	Tasks        int      `json:"tasks"`
	Disk         int64    `json:"disk,omitempty"`      // bytes that tasks can reserve; 0: not known
	Bandwidth    int64    `json:"bandwidth,omitempty"` // bits a second; 0: not known
	GPUs         float64  `json:"gpus,omitempty"`
}

// NodeDevice is a device of a node, and how much of it tasks have.
type NodeDevice struct {
	cluster.HostDevice
	Allocated float64 `json:"allocated"` // 1: all
}

// NodeDetail is everything about a node.
type NodeDetail struct {
	Node
	Labels        map[string]string `json:"labels"`
	OS            string            `json:"os"`
	Arch          string            `json:"arch"`
	EngineVersion string            `json:"engine_version"`
	Version       string            `json:"version"`
	EngineError   string            `json:"engine_error,omitempty"`
	Reason        string            `json:"reason,omitempty"` // of the state
	Since         time.Time         `json:"since"`
	Joined        time.Time         `json:"joined"`
	CPUAllocated  float64           `json:"cpu_allocated"`
	MemAllocated  int64             `json:"memory_allocated"`
	DiskAllocated int64             `json:"disk_allocated"`
	RateAllocated int64             `json:"bandwidth_allocated"`
	GPUsAllocated float64           `json:"gpus_allocated"`
	Devices       []NodeDevice      `json:"devices"`
	TaskList      []Task            `json:"task_list"`
}

// SetAvailability changes what the operator allows on a node.
type SetAvailability struct {
	Availability cluster.Availability `json:"availability"`
	DryRun       bool                 `json:"dry_run,omitempty"`
}

// SetLabels changes a node's labels.
type SetLabels struct {
	Set    map[string]string `json:"set,omitempty"`
	Remove []string          `json:"remove,omitempty"`
}

// Token is a join token without its secret.
type Token struct {
	ID      string    `json:"id"`
	Uses    int       `json:"uses"` // left
	Expires time.Time `json:"expires"`
	Created time.Time `json:"created"`
}

// CreateToken asks for a join token.
type CreateToken struct {
	TTL  string `json:"ttl,omitempty"`  // Go duration; "": 15m
	Uses int    `json:"uses,omitempty"` // 0: unlimited within reason (100)
}

// NewToken is a join token with its secret, shown once.
type NewToken struct {
	Token
	Secret  string `json:"token"`
	Command string `json:"command"` // what to run on the joining host
}

// Deploy is a stack as the user wants it.
type Deploy struct {
	Services []NamedSpec `json:"services"`
	// Networks are those that the stack declares.
	Networks []cluster.NetworkSpec `json:"networks,omitempty"`
	Request  string                `json:"request,omitempty"` // ULID, so that a retry applies once
	Note     cluster.Note          `json:"note,omitzero"`
	// Basis, of a Plan, has the deploy refused where the stack is another by now.
	Basis *cluster.Basis `json:"basis,omitempty"`
}

// NamedSpec is a service of a Deploy.
type NamedSpec struct {
	Name string              `json:"name"`
	Spec cluster.ServiceSpec `json:"spec"`
}

// Deployed says what a write did to each service.
type Deployed struct {
	Stack    string          `json:"stack"`
	Services []ServiceChange `json:"services"`
	Index    uint64          `json:"index"`
}

// ServiceChange is one service of a Deployed.
type ServiceChange struct {
	Service    string `json:"service"`
	Action     string `json:"action"` // created, updated, scaled, unchanged, removed, rolled back, promoted, redirected
	Generation uint64 `json:"generation"`
}

// Scale sets replicas.
type Scale struct {
	Replicas int    `json:"replicas"`
	Request  string `json:"request,omitempty"`
}

// Restart replaces the tasks of a service. It may be left out.
type Restart struct {
	Note cluster.Note `json:"note,omitzero"`
}

// Rollback takes a service back to a generation that it had before.
type Rollback struct {
	To      uint64       `json:"to,omitempty"` // 0: the one that was good last
	Note    cluster.Note `json:"note,omitzero"`
	Request string       `json:"request,omitempty"`
}

// PromoteService gives all tasks of a service the generation that its canary has.
type PromoteService struct {
	Generation uint64       `json:"generation"`
	Note       cluster.Note `json:"note,omitzero"`
	Request    string       `json:"request,omitempty"`
}

// RedirectService has new connections to a service's published ports go to the
// tasks of another.
type RedirectService struct {
	To      string       `json:"to,omitempty"` // stack/service; "": to its own again
	Note    cluster.Note `json:"note,omitzero"`
	Request string       `json:"request,omitempty"`
}

// Generation is a line of `history`.
type Generation struct {
	Generation uint64           `json:"generation"`
	Current    bool             `json:"current"`
	State      string           `json:"state,omitempty"` // of the present one as in Rollout, of others good, paused or failed
	Reason     string           `json:"reason,omitempty"`
	Image      string           `json:"image"`
	Author     string           `json:"author,omitempty"`
	Message    string           `json:"message,omitempty"`
	Tasks      int              `json:"tasks"` // wanted to run
	Template   cluster.Template `json:"template"`
}

// Service is a line of `ls`.
type Service struct {
	Service    string   `json:"service"` // stack/service
	Stack      string   `json:"stack"`
	Mode       string   `json:"mode"`
	Desired    int      `json:"desired"`
	Running    int      `json:"running"`
	Healthy    int      `json:"healthy"`
	Image      string   `json:"image"`
	Generation uint64   `json:"generation"`
	Ports      []string `json:"ports"`
	Problem    string   `json:"problem,omitempty"`
	Removing   bool     `json:"removing,omitempty"`
	Rollout    Rollout  `json:"rollout,omitzero"`
	Redirect   string   `json:"redirect,omitempty"` // whose tasks get its new connections
	Address    string   `json:"address,omitempty"`  // its own, in all of its networks
}

// States of a Rollout besides the outcomes of a generation (good, paused). An
// empty one is that of a first generation that has not proved itself yet.
const (
	Updating    = "updating"
	OnTrial     = "canary" // waits for its promotion
	RollingBack = "rolling-back"
	RolledBack  = "rolled-back"
)

// Rollout is how far a service is with its present generation.
type Rollout struct {
	State  string `json:"state,omitempty"`
	From   uint64 `json:"from,omitempty"`   // the generation that it returned from
	Reason string `json:"reason,omitempty"` // of a pause or a return
}

// ServiceDetail is everything about a service.
type ServiceDetail struct {
	Service
	Spec    cluster.ServiceSpec `json:"spec"`
	Created time.Time           `json:"created"`
	Updated time.Time           `json:"updated"`
	Tasks   []Task              `json:"tasks"`
}

// StackStatus is how far a stack has come.
type StackStatus struct {
	Stack    string    `json:"stack"`
	Services []Service `json:"services"`
	Tasks    []Task    `json:"tasks"` // ended ones included
	// Settled: every service runs its current generation, ready, in full, and
	// nothing of earlier ones or of removed services is left.
	Settled bool `json:"settled"`
	Stale   bool `json:"stale"`
}

// Task is a line of `ps`.
type Task struct {
	ID          string                `json:"id"`
	Service     string                `json:"service"`
	Slot        int                   `json:"slot"`
	Node        string                `json:"node"` // name
	NodeID      string                `json:"node_id"`
	State       string                `json:"state"`
	Desired     string                `json:"desired"`
	Reason      string                `json:"reason"`
	Restarts    int                   `json:"restarts"`
	Image       string                `json:"image"`
	Address     string                `json:"address"`
	Ports       []cluster.PortBinding `json:"ports"`
	ContainerID string                `json:"container_id"`
	Created     time.Time             `json:"created"`
	Updated     time.Time             `json:"updated"`
	Error       string                `json:"error"`
	Generation  uint64                `json:"generation"`
	Health      string                `json:"health"`
	ExitCode    int                   `json:"exit_code"`
	// Leaving is why the task is to go on on another node, as long as it is.
	Leaving string                `json:"leaving,omitempty"`
	Devices []cluster.DeviceShare `json:"devices,omitempty"`
	// Addresses are the task's own, one for each of its networks.
	Addresses []cluster.TaskAddress `json:"addresses,omitempty"`
}

// TaskDetail is everything about a task.
type TaskDetail struct {
	Task
	Template *cluster.Template `json:"template,omitempty"`
	Replaces string            `json:"replaces,omitempty"`
	// Why is the choice of the node: the score, and who came second.
	Why      string    `json:"why,omitempty"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished,omitzero"`
}

// TaskUsage is what the container of a task uses, measured while somebody asks.
type TaskUsage struct {
	Task       string   `json:"task"`
	Node       string   `json:"node"`        // name
	CPUUsed    *float64 `json:"cpu_used"`    // cores; null: seen once only
	MemoryUsed int64    `json:"memory_used"` // bytes
}

// LogLine is one line of a task's output.
type LogLine struct {
	At      time.Time `json:"at"`
	Service string    `json:"service"`
	Slot    int       `json:"slot"`
	Task    string    `json:"task"`
	Node    string    `json:"node"`   // name
	Stream  string    `json:"stream"` // stdout, stderr; "error": Line says what could not be read
	Line    string    `json:"line"`
}

// Event is a line of the cluster's history.
type Event struct {
	Index   uint64    `json:"index"`
	At      time.Time `json:"at"`
	Type    string    `json:"type"`
	Action  string    `json:"action"`
	Object  string    `json:"object"`
	Name    string    `json:"name,omitempty"` // for people
	Service string    `json:"service,omitempty"`
	Node    string    `json:"node,omitempty"` // name
	Message string    `json:"message,omitempty"`
	// Count and First are set on an event that took the place of earlier ones: how
	// often it came, and when for the first time.
	Count int       `json:"count,omitempty"`
	First time.Time `json:"first,omitzero"`
}

// Image is an image on the nodes.
type Image struct {
	ID    string   `json:"id"`
	Tags  []string `json:"tags"`
	Size  int64    `json:"size"` // bytes
	Nodes []string `json:"nodes"`
}

// PushImage spreads an image that some node has to nodes that lack it.
type PushImage struct {
	Image string   `json:"image"`
	Nodes []string `json:"nodes,omitempty"` // names or IDs; none: all that are ready
}

// PushProgress is one node's result.
type PushProgress struct {
	Node   string `json:"node"`
	Status string `json:"status"` // present, copied, failed
	Error  string `json:"error,omitempty"`
}

// PruneImages removes images that nobody needs.
type PruneImages struct {
	Nodes  []string `json:"nodes,omitempty"`   // by name or ID; none: all that are ready
	All    bool     `json:"all,omitempty"`     // those too that Muster did not bring
	DryRun bool     `json:"dry_run,omitempty"` // only say which
}

// PrunedImages are those that one node removed, or would remove.
type PrunedImages struct {
	Node   string        `json:"node"`
	Images []PrunedImage `json:"images"`
	Freed  int64         `json:"freed"` // bytes on the engine's file system
	Error  string        `json:"error,omitempty"`
}

// PrunedImage is one of them.
type PrunedImage struct {
	ID   string `json:"id"`
	Name string `json:"name"` // a tag, else a repository digest, else the ID
	Size int64  `json:"size"` // with the layers that other images share
}

// BuildLine is a line of an image build; the last one carries ID or Error.
type BuildLine struct {
	Line  string `json:"line,omitempty"`
	ID    string `json:"id,omitempty"`
	Error string `json:"error,omitempty"`
}

// RegistryLogin is a registry credential, sealed before it is stored.
type RegistryLogin struct {
	Username      string `json:"username,omitempty"`
	Password      string `json:"password,omitempty"`
	IdentityToken string `json:"identity_token,omitempty"`
}

// Roles of an authority or a gossip key in a rotation.
const (
	TrustInUse = "in use"
	TrustNext  = "next" // held by the nodes, not used yet
	TrustLast  = "last" // still good, used no more
)

// TrustStatus is the cluster's authorities and gossip keys, and how far a
// rotation is.
type TrustStatus struct {
	Version     uint64      `json:"version"`
	Authorities []Authority `json:"authorities"`
	GossipKeys  []GossipKey `json:"gossip_keys"`
	Waiting     []string    `json:"waiting"` // nodes that a rotation waits for
}

// Authority is a certificate authority of the cluster.
type Authority struct {
	Hash  string    `json:"hash"` // SHA-256 of its certificate, in hex
	Role  string    `json:"role"`
	Since time.Time `json:"since"`
}

// GossipKey is a key of the gossip ring.
type GossipKey struct {
	Role  string    `json:"role"`
	Since time.Time `json:"since"`
}

// Local is this host's agent, member or not.
type Local struct {
	NodeID    string `json:"node_id"`
	Name      string `json:"name"`
	ClusterID string `json:"cluster_id"` // "" while idle
	Role      string `json:"role"`       // idle, worker, voter, leader
	Version   string `json:"version"`
	// What this node knows by itself, whoever leads.
	Members  []string `json:"members,omitempty"`  // names of the nodes that it was told of
	Heard    []string `json:"heard,omitempty"`    // names of those that gossip calls alive
	Backends []string `json:"backends,omitempty"` // the tasks to which it carries connections
}

// Init makes a cluster.
type Init struct{}

// Initialised is what init made.
type Initialised struct {
	ClusterID string   `json:"cluster_id"`
	Node      string   `json:"node"`
	Token     NewToken `json:"token"`
}

// Join joins this host to a cluster.
type Join struct {
	Addresses []string `json:"addresses"` // host or host:port, tried in order
	Token     string   `json:"token"`
}

// Joined is what joining gave.
type Joined struct {
	ClusterID string `json:"cluster_id"`
	NodeID    string `json:"node_id"`
	Node      string `json:"node"`
}

// Leave takes this host out of its cluster.
type Leave struct {
	Force bool `json:"force,omitempty"` // do not wait for tasks to move
}

// ExecFrame types: the first byte of a binary websocket message. Stdin and
// resize go to the container, the rest comes back; an exit frame is the last.
const (
	ExecStdin  byte = 0
	ExecStdout byte = 1
	ExecStderr byte = 2
	ExecResize byte = 3 // JSON [rows, cols]
	ExecEOF    byte = 4 // end of stdin
	ExecExit   byte = 5 // JSON exit code
	ExecError  byte = 6 // JSON Error
)
