package configs

import (
	"strings"
	"time"

	"github.com/musterhq/muster/network"
)

// Where a packaged agent keeps its things.
const (
	DefaultDataDir    = "/var/lib/muster"
	DefaultSocket     = "/run/muster.sock"
	DefaultDockerHost = "unix:///var/run/docker.sock"
	DefaultPort       = 7070
	DefaultGossipPort = 7071

	// DefaultNetworkPort is that of encrypted traffic between containers.
	DefaultNetworkPort = network.WireGuardPort

	DefaultKeyRotation = 30 * 24 * time.Hour
)

// Who carries this host's traffic.
const (
	DataPlaneAuto     = "auto"     // a process that the agent starts where none answers, and that outlives it
	DataPlaneExternal = "external" // a process that somebody else starts, such as systemd
	DataPlaneInside   = "inside"   // the agent itself: with it, connections end
)

// DataPlaneSocket is where the data plane of an agent with this Socket answers.
func (c *Config) DataPlaneSocket() string {
	return strings.TrimSuffix(c.Socket, ".sock") + dataPlaneSuffix
}

const dataPlaneSuffix = "-dataplane.sock"

// Config is everything an agent is told at its start.
type Config struct {
	DataDir    string `yaml:"data_dir"`    // absolute path; identity and state, mode 0700
	Advertise  string `yaml:"advertise"`   // IP that other nodes reach this host at; "": found at start
	Port       int    `yaml:"port"`        // TCP, on every address
	GossipPort int    `yaml:"gossip_port"` // TCP and UDP, on every address
	// NetworkPort is UDP, on every address: traffic between containers, encrypted.
	NetworkPort int    `yaml:"network_port"`
	DockerHost  string `yaml:"docker_host"` // unix://PATH
	Socket      string `yaml:"socket"`      // absolute path of the local API's socket
	DataPlane   string `yaml:"dataplane"`   // auto, external or inside

	Name   string            `yaml:"name"` // "": the host's name
	Labels map[string]string `yaml:"labels"`
	CPUs   float64           `yaml:"cpus"`   // cores on offer; 0: measured
	Memory Size              `yaml:"memory"` // bytes on offer; 0: measured

	Resources Resources `yaml:"resources"`
	Reserved  Amounts   `yaml:"reserved"` // of what there is, kept for the system

	// Images that Muster brought and nobody needs are removed when so much of the
	// engine's file system is in use, until so much is.
	ImageGCHigh int `yaml:"image_gc_high"` // percent; 0: never
	ImageGCLow  int `yaml:"image_gc_low"`  // percent
	ImageGCKeep int `yaml:"image_gc_keep"` // the images used last, which stay
	// KeyRotation is after how long the gossip key is replaced, as the leader is
	// told; 0: only on command.
	KeyRotation time.Duration `yaml:"key_rotation"`

	LogFormat string `yaml:"log_format"` // text or json
	LogLevel  string `yaml:"log_level"`  // debug, info, warn or error
}

// Default is the configuration of an agent that is told nothing.
func Default() Config {
	return Config{
		DataDir:     DefaultDataDir,
		Port:        DefaultPort,
		GossipPort:  DefaultGossipPort,
		NetworkPort: DefaultNetworkPort,
		DockerHost:  DefaultDockerHost,
		Socket:      DefaultSocket,
		DataPlane:   DataPlaneAuto,
		ImageGCHigh: 85,
		ImageGCLow:  75,
		ImageGCKeep: 3,
		KeyRotation: DefaultKeyRotation,
		LogFormat:   "text",
		LogLevel:    "info",
	}
}
