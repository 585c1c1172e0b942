package api

import (
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

// Node-to-node calls, on the TLS port with a node certificate:
//
//	POST /v1/node/join        NodeJoin -> NodeJoined; no certificate, a token instead
//	POST /v1/node/renew       Renew -> Renewed; leader, also with an expired certificate
//	POST /v1/node/trust       Trust; leader
//	POST /v1/node/heartbeat   Heartbeat -> HeartbeatReply; leader, relayed by voters
//	POST /v1/node/observe     Observation batch; leader
//	POST /v1/node/update      NodeUpdate -> NodeUpdated; leader
//	POST /v1/node/leave       remove the calling node; leader
//	GET  /v1/node/feed        stream of Feed; any voter
//	POST /v1/node/probe       Probe -> ProbeResult; any node, asked by voters
//	POST /v1/node/promote     Promote; any node, asked by voters
//	POST /v1/node/demote      any node, asked by voters
//	POST /v1/node/revote      close the log and open it again; any node, asked by voters
//	GET  /v1/node/logs        stream of LogLine of one container here
//	POST /v1/node/facts       HostFacts of the node that is asked
//	POST /v1/node/reach       Reach -> []Way from the node that is asked
//	POST /v1/node/echo        Echo -> Echo
//	GET  /v1/node/usage       []TaskUsage of the containers here
//	GET  /v1/node/exec        websocket to one container here
//	GET  /v1/node/images      []NodeImage here
//	POST /v1/node/images/wanted  digests of all kept versions of services; leader
//	POST /v1/node/images/pulled  ImagePulled; leader
//	POST /v1/node/images/removed ImagesRemoved; leader
//	POST /v1/node/images/prune   PruneImages -> PrunedImages here
//	POST /v1/node/images/record  ImageQuestion -> ImageRecord; any voter
//	POST /v1/node/image/vouch    tell the cluster which image a digest names here
//	GET  /v1/node/image       tar of one image here
//	GET  /v1/node/image/config   configuration of one image here
//	POST /v1/node/image/layers   ImageParts -> LayerHead and bytes, each
//	POST /v1/node/image       fetch one image to here
//	GET  /v1/node/resolve     digest of a reference as this engine knows it

// NodeJoin asks for admission.
type NodeJoin struct {
	Token string       `json:"token"`
	CSR   []byte       `json:"csr"` // PKCS #10, DER
	Node  cluster.Node `json:"node"`
}

// NodeJoined is everything that a new member needs.
type NodeJoined struct {
	ClusterID   string   `json:"cluster_id"`
	Certificate []byte   `json:"certificate"` // PEM
	CA          []byte   `json:"ca"`          // PEM
	GossipKey   []byte   `json:"gossip_key"`
	Trust       *Trust   `json:"trust,omitempty"`
	Members     []Member `json:"members"`
}

// Trust is what a node must hold so that it and the others know each other. It
// travels between nodes alone, to members.
type Trust struct {
	Version    uint64   `json:"version"`
	CA         []byte   `json:"ca"`          // PEM of every authority to trust
	Authority  string   `json:"authority"`   // SHA-256 of that which signs, in hex
	GossipKeys [][]byte `json:"gossip_keys"` // the first encrypts, all decrypt
}

// Renew asks for a new certificate for the same key.
type Renew struct {
	CSR []byte `json:"csr"` // PKCS #10, DER
}

// Renewed is the new certificate, and what belongs to it.
type Renewed struct {
	Certificate []byte `json:"certificate"` // PEM
	Trust       *Trust `json:"trust,omitempty"`
}

// Member is what every node knows of every other.
type Member struct {
	ID         cluster.NodeID    `json:"id"`
	Name       string            `json:"name"`
	Address    string            `json:"address"`
	APIPort    int               `json:"api_port"`
	GossipPort int               `json:"gossip_port"`
	Voter      bool              `json:"voter"`
	Condition  cluster.Condition `json:"condition"`
	PublicKey  string            `json:"public_key"`
}

// HostPort is where the member's API answers.
func (m Member) HostPort() string { return net.JoinHostPort(m.Address, strconv.Itoa(m.APIPort)) }

// Health answers whether a node's agent lives.
type Health struct {
	Status string `json:"status"` // "ok"
	Leader bool   `json:"leader"` // the node knows a leader
}

// Heartbeat is sent to the leader every 500 ms.
type Heartbeat struct {
	Node cluster.NodeID `json:"node"`
	// Usage is measured on the node; nil when it could not be.
	Usage *Usage `json:"usage,omitempty"`
	// Tasks is what the node's tasks use, when that was measured anew.
	Tasks *TasksUse `json:"tasks,omitempty"`
	// Images are those that the node has, when they are others than it said last.
	Images *HeldImages `json:"images,omitempty"`
	// Problems are the node's own troubles, for people.
	Problems []string `json:"problems,omitempty"`
	// Blind: the agent has not seen its containers yet, or not told of them. A
	// node that was down is not taken back before.
	Blind bool `json:"blind,omitempty"`
	// Vote is the node's part in the replicated log, from those that have one.
	Vote *Vote `json:"vote,omitempty"`
	// Trust is the version of it that the node holds, Authority who signed the
	// node's certificate.
	Trust     uint64 `json:"trust,omitempty"`
	Authority string `json:"authority,omitempty"`
	// Weights tells which weights of nodes this one has; 0: none.
	Weights uint64 `json:"weights,omitempty"`
	// Serves is the state that the node's balancers go by; nil: not known.
	Serves *Position `json:"serves,omitempty"`
	// Leaving: tasks of the node wait until no balancer sends them anything.
	Leaving bool `json:"leaving,omitempty"`
}

// Position is a point of the cluster's history.
type Position struct {
	Epoch uint64 `json:"epoch"`
	Index uint64 `json:"index"`
}

// Before reports whether p comes before o.
func (p Position) Before(o Position) bool {
	return p.Epoch < o.Epoch || p.Epoch == o.Epoch && p.Index < o.Index
}

// HeldImages are the sizes of images in bytes, by cluster.Image.Hash; one has
// several, those of its digests and its ID.
type HeldImages map[string]int64

// MaxHeldImages is how many hashes a node tells of: those of its largest images.
const MaxHeldImages = 500

// Vote is what a node says of its part in the replicated log.
type Vote struct {
	// Lost: the node was told that it votes, and holds no log.
	Lost bool `json:"lost,omitempty"`
	// Write is the median of what appending to the log took lately, in
	// nanoseconds; 0 when too little was written to tell.
	Write time.Duration `json:"write,omitempty"`
}

// TasksUse is what the tasks of a node used, and what its host did.
type TasksUse struct {
	Host Usage `json:"host"`
	// Machine is all that the host has, whatever the node is told to offer.
	Machine Usage     `json:"machine,omitzero"`
	Tasks   []TaskUse `json:"tasks"`
}

// TaskUse is one of them.
type TaskUse struct {
	Task cluster.TaskID `json:"task"`
	Usage
}

// Usage is what a host or a task uses.
type Usage struct {
	MilliCPU int64 `json:"milli_cpu"`
	Memory   int64 `json:"memory"` // bytes
}

// HeartbeatReply answers a heartbeat.
type HeartbeatReply struct {
	Leader cluster.NodeID `json:"leader"`
	Epoch  uint64         `json:"epoch"`
	// Index is the newest at which something for this node changed: a feed
	// that stays behind it is left for another voter.
	Index uint64 `json:"index"`
	// Standby are images that the node is likely to need when a host dies.
	Standby []string `json:"standby,omitempty"`
	// Trust and Authority are what the node shall hold and be certified by.
	Trust     uint64 `json:"trust,omitempty"`
	Authority string `json:"authority,omitempty"`
	// Weights come where the node has others, or none.
	Weights *Weights `json:"weights,omitempty"`
	// Served is the state that the balancers of all nodes go by which are not dead,
	// or a later one; for a node with tasks that are leaving. Zero: some node's is
	// not known.
	Served Position `json:"served,omitzero"`
}

// Weights are those of all nodes that were measured, for the balancers.
type Weights struct {
	ID    uint64               `json:"id"` // tells them from others
	Nodes []cluster.NodeWeight `json:"nodes"`
}

// ObserveBatch is what a node's agent saw of its tasks.
type ObserveBatch struct {
	Node  cluster.NodeID `json:"node"`
	Tasks []TaskObserved `json:"tasks"`
}

// TaskObserved is one task of a batch.
type TaskObserved struct {
	Task     cluster.TaskID   `json:"task"`
	Observed cluster.Observed `json:"observed"`
}

// Feed is one frame of what a node needs to know; absent parts are unchanged.
type Feed struct {
	Epoch       uint64         `json:"epoch"`
	Index       uint64         `json:"index"`
	Leader      cluster.NodeID `json:"leader"`
	Members     []Member       `json:"members,omitempty"`
	Assignments *[]Assignment  `json:"assignments,omitempty"`
	// Services come with the assignments: those that had or have tasks on the
	// node and are not gone, in the order of their IDs. A voter of an older
	// release sends none, which is not the same as an empty list.
	Services []cluster.ServiceID `json:"services,omitzero"`
	// Networks come with the assignments: those that they are in, by ID.
	Networks []cluster.Network `json:"networks,omitempty"`
	Table    *lb.Input         `json:"table,omitempty"`
}

// NodeUpdate is a node agent's account of its own host.
type NodeUpdate struct {
	ID            cluster.NodeID       `json:"id"`
	Address       string               `json:"address"`
	APIPort       int                  `json:"api_port"`
	GossipPort    int                  `json:"gossip_port"`
	Labels        map[string]string    `json:"labels,omitempty"`
	EngineLabels  map[string]string    `json:"engine_labels,omitempty"`
	OS            string               `json:"os,omitempty"`
	Arch          string               `json:"arch,omitempty"`
	EngineVersion string               `json:"engine_version,omitempty"`
	Version       string               `json:"version,omitempty"`
	Commands      int                  `json:"commands,omitempty"`
	Capacity      cluster.Resources    `json:"capacity"`
	EngineError   string               `json:"engine_error,omitempty"`
	Devices       []cluster.HostDevice `json:"devices,omitempty"`
	NetworkKey    string               `json:"network_key,omitempty"`
	NetworkPort   uint16               `json:"network_port,omitempty"`
	Routes        []netip.Prefix       `json:"routes,omitempty"`
}

// NodeUpdated says how much of an update was taken in.
type NodeUpdated struct {
	// Held: a part waits until every voter knows it. Send it again.
	Held bool `json:"held,omitempty"`
}

// News reports whether the frame carries more than its index.
func (f Feed) News() bool { return f.Members != nil || f.Assignments != nil || f.Table != nil }

// Assignment is a task for the receiving node.
type Assignment struct {
	Task     cluster.Task     `json:"task"`
	Template cluster.Template `json:"template"`
}

// Probe asks a node to dial another host.
type Probe struct {
	Address string `json:"address"` // host:port
	Tries   int    `json:"tries"`
}

// ProbeResult says what the dialled host did.
type ProbeResult struct {
	Outcome string    `json:"outcome"` // accepted, refused, silent
	At      time.Time `json:"at"`
}

// Promote makes a worker a raft member.
type Promote struct {
	ClusterKey []byte   `json:"cluster_key"`
	Voters     []Member `json:"voters"`
	// Index is where the state says already that the node is a voter.
	Index uint64 `json:"index"`
}

// NodeImage is an image on one node.
type NodeImage struct {
	ID      string    `json:"id"`
	Tags    []string  `json:"tags"`
	Digests []string  `json:"digests"`
	Size    int64     `json:"size"`
	Created time.Time `json:"created"`
}

// ImagePulled is what a node's engine had from a registry for a repository digest.
type ImagePulled struct {
	Node   cluster.NodeID `json:"node"`
	Digest string         `json:"digest"`
	ID     string         `json:"id"`
}

// ImagesRemoved is which images were removed from a node's host.
type ImagesRemoved struct {
	Node   cluster.NodeID `json:"node"`
	Images []RemovedImage `json:"images"`
}

// RemovedImage is one of them.
type RemovedImage struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// ImageQuestion asks which image a repository digest names on a node's platform.
type ImageQuestion struct {
	Node   cluster.NodeID `json:"node"`
	Digest string         `json:"digest"`
}

// ImageRecord answers an ImageQuestion.
type ImageRecord struct {
	Kept bool   `json:"kept"`         // all voters are new enough to keep a record
	ID   string `json:"id,omitempty"` // "" where nobody has said so yet
}

// ImageAsk is a node's wish for an image, as the query of a call (id, idle).
type ImageAsk struct {
	ID   string         // of the image
	To   cluster.NodeID // who asks
	Idle bool           // nobody waits for it
}

// ImageParts asks for layers of an image.
type ImageParts struct {
	Layers []LayerPart `json:"layers"`
}

// LayerPart is the rest of a layer: all of it from a byte on.
type LayerPart struct {
	Digest string `json:"digest"` // of the layer as it is unpacked
	Offset int64  `json:"offset,omitempty"`
}

// LayerHead is a line of JSON that goes before the bytes of a LayerPart.
type LayerHead struct {
	LayerPart
	Size int64 `json:"size"` // of the whole layer
}

// Resolved is the digest of a reference.
type Resolved struct {
	Digest string `json:"digest"`
}
