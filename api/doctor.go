package api

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// Words for how a check ended.
const (
	CheckOK   = "ok"
	CheckWarn = "warn" // it works, but not as well as it could
	CheckFail = "fail"
)

// Finding is what `doctor` found in one check of one node. The names of the
// checks are a contract.
type Finding struct {
	Name   string `json:"name"`   // of the check
	Node   string `json:"node"`   // name
	Status string `json:"status"` // ok, warn, fail
	Found  string `json:"found"`
	Advice string `json:"advice"` // what to do; "" where nothing is to be done
}

// HostFacts is what a node's agent sees of its own host. What could not be seen
// is absent: nobody draws a conclusion from it.
type HostFacts struct {
	ID   cluster.NodeID `json:"id"`
	Name string         `json:"name"`

	Kernel string `json:"kernel,omitempty"`
	// Features of the kernel by name ("overlay", "nf_tables"): there or not.
	Features map[string]bool `json:"features,omitempty"`
	// Settings of the kernel by path below /proc/sys.
	Settings map[string]string `json:"settings,omitempty"`

	OpenFiles   uint64        `json:"open_files,omitempty"`   // what the agent may have open
	Fsync       time.Duration `json:"fsync,omitempty"`        // median of a small write
	FsyncError  string        `json:"fsync_error,omitempty"`  // why it could not be measured
	DataDir     string        `json:"data_dir,omitempty"`     // that the disk's values are about
	DiskFree    int64         `json:"disk_free,omitempty"`    // bytes
	DiskSize    int64         `json:"disk_size,omitempty"`    // bytes
	MemoryTotal int64         `json:"memory_total,omitempty"` // bytes
	MemoryFree  int64         `json:"memory_free,omitempty"`  // bytes that a new process could have
	SwapTotal   int64         `json:"swap_total,omitempty"`   // bytes
	SwapFree    int64         `json:"swap_free,omitempty"`    // bytes

	ClockSynced *bool  `json:"clock_synced,omitempty"` // the kernel says so
	Systemd     bool   `json:"systemd,omitempty"`      // it runs this host
	UnitFile    string `json:"unit_file,omitempty"`    // of the agent; "": none
	KillMode    string `json:"kill_mode,omitempty"`    // in it

	Address      string `json:"address,omitempty"`       // IP that others are told
	InterfaceMTU int    `json:"interface_mtu,omitempty"` // of its interface
	APIPort      int    `json:"api_port,omitempty"`
	GossipPort   int    `json:"gossip_port,omitempty"`
	// PortsTaken are those of the agent that something else holds; on an idle
	// host only.
	PortsTaken []int `json:"ports_taken,omitempty"`
	// SamplePort is open for a while, from the range of published containers.
	SamplePort int `json:"sample_port,omitempty"`

	Engine      *EngineFacts `json:"engine,omitempty"`
	EngineError string       `json:"engine_error,omitempty"`
}

// EngineFacts is what a container engine says of itself.
type EngineFacts struct {
	Version       string   `json:"version"`
	APIVersion    string   `json:"api_version"`
	StorageDriver string   `json:"storage_driver"`
	CgroupDriver  string   `json:"cgroup_driver"`
	CgroupVersion string   `json:"cgroup_version"`
	LogDriver     string   `json:"log_driver"`
	LiveRestore   bool     `json:"live_restore"`
	Warnings      []string `json:"warnings,omitempty"`
}

// Reach asks a node to try its ways to others.
type Reach struct {
	Targets []Target `json:"targets"`
}

// Target is a member, and a port that is open there for a sample.
type Target struct {
	ID         cluster.NodeID `json:"id"`
	SamplePort int            `json:"sample_port,omitempty"`
}

// Way is how one host reaches another. Outcomes are "ok", "" where nothing was
// tried, else why not.
type Way struct {
	To         cluster.NodeID `json:"to"`
	ToName     string         `json:"to_name"`
	Address    string         `json:"address"`
	APIPort    int            `json:"api_port"`
	GossipPort int            `json:"gossip_port"`
	SamplePort int            `json:"sample_port,omitempty"`

	API       string `json:"api"`
	GossipTCP string `json:"gossip_tcp"`
	GossipUDP string `json:"gossip_udp"`
	Sample    string `json:"sample"`
	// Large: an answer of many full packets came through.
	Large   string        `json:"large"`
	PathMTU int           `json:"path_mtu,omitempty"` // as the kernel knows it
	RTT     time.Duration `json:"rtt,omitempty"`
	// Skew is how far the other clock is ahead, within half of RTT and Grain.
	Skew  *time.Duration `json:"skew,omitempty"`
	Grain time.Duration  `json:"grain,omitempty"`
}

// Echo is sent back as it came, with the time.
type Echo struct {
	At  time.Time `json:"at"`
	Pad []byte    `json:"pad,omitempty"`
}
