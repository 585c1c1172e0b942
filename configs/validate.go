package configs

import (
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/network"
)

// maxSocketPath is the longest path that a unix socket's address holds on
// Linux, in bytes (sun_path less its terminator, unix(7)).
const maxSocketPath = 107

// nodeName is what host names are made of (RFC 1123).
var nodeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// Validate reports the first rule that c breaks as a *cluster.FieldError; the
// field is the setting's name in a file.
func (c *Config) Validate() error {
	for _, check := range []func() error{
		c.validatePaths, c.validateNetwork, c.validateNode, c.validateResources, c.validateImages, c.validateKeys, c.validateLog,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) validatePaths() error {
	if err := absolute("data_dir", c.DataDir, DefaultDataDir); err != nil {
		return err
	}
	if err := absolute("socket", c.Socket, DefaultSocket); err != nil {
		return err
	}
	if over := len(c.DataPlaneSocket()) - maxSocketPath; over > 0 {
		return cluster.Invalid("socket", fmt.Sprintf("has %d characters, at most %d are possible", len(c.Socket), len(c.Socket)-over), "use a shorter path")
	}
	if !slices.Contains([]string{DataPlaneAuto, DataPlaneExternal, DataPlaneInside}, c.DataPlane) {
		return cluster.Invalid("dataplane", fmt.Sprintf("%q is none", c.DataPlane), "use auto, external or inside")
	}
	path, ok := strings.CutPrefix(c.DockerHost, "unix://")
	if !ok || !filepath.IsAbs(path) {
		return cluster.Invalid("docker_host", fmt.Sprintf("%q is not the socket of a local engine", c.DockerHost), "give one such as "+DefaultDockerHost)
	}
	return nil
}

func absolute(field, path, example string) error {
	switch {
	case path == "":
		return cluster.Invalid(field, "is empty", "give a path such as "+example)
	case !filepath.IsAbs(path):
		return cluster.Invalid(field, fmt.Sprintf("%q is not an absolute path", path), "give one such as "+example)
	}
	return nil
}

func (c *Config) validateNetwork() error {
	if err := validPort("port", c.Port, DefaultPort); err != nil {
		return err
	}
	if err := validPort("gossip_port", c.GossipPort, DefaultGossipPort); err != nil {
		return err
	}
	if c.Port == c.GossipPort {
		return cluster.Invalid("gossip_port", fmt.Sprintf("is %d, as port is", c.Port), "give the two different ports")
	}
	if err := validPort("network_port", c.NetworkPort, DefaultNetworkPort); err != nil {
		return err
	}
	switch c.NetworkPort { // all of them UDP
	case c.GossipPort:
		return cluster.Invalid("network_port", fmt.Sprintf("is %d, as gossip_port is", c.NetworkPort), "give the two different ports")
	case network.VXLANPort:
		return cluster.Invalid("network_port", fmt.Sprintf("is %d, which carries traffic that is not encrypted", c.NetworkPort), fmt.Sprintf("give another one, such as %d", DefaultNetworkPort))
	}
	if c.Advertise == "" {
		return nil
	}
	addr, err := netip.ParseAddr(c.Advertise)
	switch {
	case err != nil:
		return cluster.Invalid("advertise", fmt.Sprintf("%q is not an IP address", c.Advertise), "give the address that the other hosts reach this one at, such as 10.0.0.1")
	case addr.IsUnspecified() || addr.IsMulticast():
		return cluster.Invalid("advertise", fmt.Sprintf("%s is not the address of one host", c.Advertise), "give the address that the other hosts reach this one at, such as 10.0.0.1")
	}
	return nil
}

func validPort(field string, port, example int) error {
	if port < 1 || port > math.MaxUint16 {
		return cluster.Invalid(field, fmt.Sprintf("%d is not a port", port), fmt.Sprintf("give a number between 1 and 65535, such as %d", example))
	}
	return nil
}

func (c *Config) validateNode() error {
	if c.Name != "" && (len(c.Name) > cluster.MaxNameLength || !nodeName.MatchString(c.Name)) {
		return cluster.Invalid("name", fmt.Sprintf("%q is not a host name", c.Name),
			fmt.Sprintf("use at most %d letters, digits, dots and hyphens", cluster.MaxNameLength))
	}
	if err := cluster.ValidateNodeLabels("labels", c.Labels); err != nil {
		return err
	}
	if math.IsNaN(c.CPUs) || c.CPUs < 0 || c.CPUs > float64(cluster.MaxMilliCPU)/1000 {
		return cluster.Invalid("cpus", fmt.Sprintf("%g is not a number of cores", c.CPUs), "give one such as 4 or 0.5; 0 measures")
	}
	if c.Memory < 0 || int64(c.Memory) > cluster.MaxMemory {
		return cluster.Invalid("memory", fmt.Sprintf("%d bytes are not an amount of memory", int64(c.Memory)), "give one such as 8GiB; 0 measures")
	}
	return nil
}

func (c *Config) validateImages() error {
	switch {
	case c.ImageGCHigh < 0 || c.ImageGCHigh > 99:
		return cluster.Invalid("image_gc_high", fmt.Sprintf("%d is not a percentage below 100", c.ImageGCHigh), "give one such as 85; 0 removes nothing")
	case c.ImageGCLow < 0 || c.ImageGCHigh > 0 && c.ImageGCLow >= c.ImageGCHigh:
		return cluster.Invalid("image_gc_low", fmt.Sprintf("%d is not below image_gc_high, %d", c.ImageGCLow, c.ImageGCHigh), "give a smaller percentage, such as 75")
	case c.ImageGCKeep < 0:
		return cluster.Invalid("image_gc_keep", fmt.Sprintf("%d is not a number of images", c.ImageGCKeep), "give one such as 3; 0 keeps none")
	}
	return nil
}

// minKeyRotation keeps rotations from running into each other.
const minKeyRotation = time.Hour

func (c *Config) validateKeys() error {
	if c.KeyRotation != 0 && c.KeyRotation < minKeyRotation {
		return cluster.Invalid("key_rotation", fmt.Sprintf("%s is less than %s", c.KeyRotation, minKeyRotation), "give a time such as 720h, or 0 to rotate on command only")
	}
	return nil
}

func (c *Config) validateLog() error {
	if !slices.Contains([]string{"text", "json"}, c.LogFormat) {
		return cluster.Invalid("log_format", fmt.Sprintf("%q is not a format", c.LogFormat), "use text or json")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		return cluster.Invalid("log_level", fmt.Sprintf("%q is not a level", c.LogLevel), "use debug, info, warn or error")
	}
	return nil
}
