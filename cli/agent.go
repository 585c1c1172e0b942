package cli

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/configs"
)

const agentHelp = `Runs this host's agent until it is told to stop. It needs the host's Docker
engine, and root for its data and its socket.

A setting is taken from the command line, else from the environment
(MUSTER_DATA_DIR), else from the file that --config names, else from the default.`

func (c *CLI) newAgent() *cobra.Command {
	flags := configs.Default()
	labels := &labelsValue{&flags.Labels}
	var file string
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run this host's agent",
		Long:  agentHelp,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := settings(cmd, file, flags)
			if err != nil {
				return err
			}
			if err := c.RunAgent(cmd.Context(), cfg, newLogger(c.Stderr, cfg)); err != nil {
				return fmt.Errorf("run the agent: %w", err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&file, "config", "", "`file` with settings (YAML)")
	f.StringVar(&flags.DataDir, "data-dir", flags.DataDir, "`directory` of identity and state")
	f.StringVar(&flags.Advertise, "advertise", "", "`IP` that other nodes reach this host at (default: found)")
	f.IntVar(&flags.Port, "port", flags.Port, "TCP port between nodes")
	f.IntVar(&flags.GossipPort, "gossip-port", flags.GossipPort, "TCP and UDP port of membership")
	f.IntVar(&flags.NetworkPort, "network-port", flags.NetworkPort, "UDP port of encrypted traffic between containers")
	f.StringVar(&flags.DockerHost, "docker-host", flags.DockerHost, "socket of the container engine")
	f.StringVar(&flags.Socket, "socket", flags.Socket, "`path` of the local API's socket")
	f.StringVar(&flags.DataPlane, "dataplane", flags.DataPlane, "who carries traffic: auto, external or inside")
	f.StringVar(&flags.Name, "name", "", "`name` of the node (default: the host's)")
	f.Var(labels, "label", "label of the node, `k=v`; repeatable")
	f.Float64Var(&flags.CPUs, "cpus", 0, "cores on offer (default: measured)")
	f.Var(&flags.Memory, "memory", "memory on offer, such as 8GiB (default: measured)")
	f.IntVar(&flags.ImageGCHigh, "image-gc-high", flags.ImageGCHigh, "percent of the engine's disk in use at which unneeded images go; 0: never")
	f.IntVar(&flags.ImageGCLow, "image-gc-low", flags.ImageGCLow, "percent down to which they go")
	f.IntVar(&flags.ImageGCKeep, "image-gc-keep", flags.ImageGCKeep, "unneeded images that stay, the last used")
	f.DurationVar(&flags.KeyRotation, "key-rotation", flags.KeyRotation, "`time` after which the gossip key is replaced; 0: never")
	f.StringVar(&flags.LogFormat, "log-format", flags.LogFormat, "text or json")
	f.StringVar(&flags.LogLevel, "log-level", flags.LogLevel, "debug, info, warn or error")
	return cmd
}

// settings lays the flags that were given over the file over the defaults.
func settings(cmd *cobra.Command, file string, flags configs.Config) (configs.Config, error) {
	cfg := configs.Default()
	if file != "" {
		var err error
		if cfg, err = configs.Load(file); err != nil {
			return cfg, err
		}
	}
	for name, take := range map[string]func(){
		"data-dir":      func() { cfg.DataDir = flags.DataDir },
		"advertise":     func() { cfg.Advertise = flags.Advertise },
		"port":          func() { cfg.Port = flags.Port },
		"gossip-port":   func() { cfg.GossipPort = flags.GossipPort },
		"network-port":  func() { cfg.NetworkPort = flags.NetworkPort },
		"docker-host":   func() { cfg.DockerHost = flags.DockerHost },
		"socket":        func() { cfg.Socket = flags.Socket },
		"dataplane":     func() { cfg.DataPlane = flags.DataPlane },
		"name":          func() { cfg.Name = flags.Name },
		"label":         func() { cfg.Labels = flags.Labels },
		"cpus":          func() { cfg.CPUs = flags.CPUs },
		"memory":        func() { cfg.Memory = flags.Memory },
		"image-gc-high": func() { cfg.ImageGCHigh = flags.ImageGCHigh },
		"image-gc-low":  func() { cfg.ImageGCLow = flags.ImageGCLow },
		"image-gc-keep": func() { cfg.ImageGCKeep = flags.ImageGCKeep },
		"key-rotation":  func() { cfg.KeyRotation = flags.KeyRotation },
		"log-format":    func() { cfg.LogFormat = flags.LogFormat },
		"log-level":     func() { cfg.LogLevel = flags.LogLevel },
	} {
		if cmd.Flags().Changed(name) {
			take()
		}
	}
	if err := cfg.Validate(); err != nil {
		return cfg, usagef("%v", err)
	}
	return cfg, nil
}

func newLogger(w io.Writer, cfg configs.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // checked by Validate
	options := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// labelsValue is a flag that adds "k=v" pairs to a map.
type labelsValue struct{ labels *map[string]string }

func (l *labelsValue) Set(s string) error {
	for pair := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return fmt.Errorf("%q is not of the form k=v", pair)
		}
		if *l.labels == nil {
			*l.labels = map[string]string{}
		}
		(*l.labels)[key] = value
	}
	return nil
}

func (l *labelsValue) String() string { return "" }
func (l *labelsValue) Type() string   { return "k=v" }
