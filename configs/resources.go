package configs

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/musterhq/muster/cluster"
)

// Resources is what the host offers; what is 0 is measured.
type Resources struct {
	Amounts `yaml:",inline"`
	Devices []Device `yaml:"devices"`
}

// Amounts are a part of a host.
type Amounts struct {
	CPU       float64 `yaml:"cpu"`       // cores
	Memory    Size    `yaml:"memory"`    // bytes
	Disk      Size    `yaml:"disk"`      // bytes
	Bandwidth Rate    `yaml:"bandwidth"` // bits a second
}

// Device is one device, or several that are the same, that containers are given.
type Device struct {
	Kind  string `yaml:"kind"`
	ID    string `yaml:"id"` // "": made of the path; with a count it gets a number
	Model string `yaml:"model"`
	Path  string `yaml:"path"`  // below /dev
	Count int    `yaml:"count"` // 0: one
}

// Rate is an amount of data in bits a second. Text gives it in decimal units:
// "100Mbit", "1Gbit" or a plain number.
type Rate int64

// Set reads text.
func (r *Rate) Set(text string) error {
	n, err := cluster.ParseBandwidth(text)
	*r = Rate(n)
	return err
}

// UnmarshalYAML reads a scalar.
func (r *Rate) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: a rate is text such as 100Mbit", n.Line)
	}
	return r.Set(n.Value)
}

// Resources are the amounts in the cluster's terms.
func (a Amounts) Resources() cluster.Resources {
	return cluster.Resources{
		MilliCPU: int64(math.Round(a.CPU * 1000)), Memory: int64(a.Memory), Disk: int64(a.Disk), Bandwidth: int64(a.Bandwidth),
	}
}

// HostDevices are the devices in the cluster's terms, each with its path.
func (r Resources) HostDevices() (devices []cluster.HostDevice, paths []string) {
	for _, d := range r.Devices {
		id := d.ID
		if id == "" {
			id = strings.TrimPrefix(d.Path, "/dev/")
		}
		for i := range max(d.Count, 1) {
			one := cluster.HostDevice{Kind: d.Kind, ID: id, Model: d.Model}
			if d.Count > 1 {
				one.ID = fmt.Sprintf("%s-%d", id, i+1)
			}
			devices, paths = append(devices, one), append(paths, d.Path)
		}
	}
	return devices, paths
}

func (c *Config) validateResources() error {
	if err := c.Resources.validate("resources"); err != nil {
		return err
	}
	if err := c.Reserved.validate("reserved"); err != nil {
		return err
	}
	return c.Resources.validateDevices("resources.devices")
}

func (a Amounts) validate(field string) error {
	if most := float64(cluster.MaxMilliCPU) / 1000; math.IsNaN(a.CPU) || a.CPU < 0 || a.CPU > most || a.CPU > 0 && a.CPU < 0.001 {
		return cluster.Invalid(field+".cpu", fmt.Sprintf("%g is not a number of cores", a.CPU), "give one such as 4 or 0.5")
	}
	return a.Resources().Validate(field)
}

func (r Resources) validateDevices(field string) error {
	type name struct{ kind, id string }
	seen := map[name]bool{}
	for i, d := range r.Devices {
		where := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case d.Count < 0 || d.Count > cluster.MaxDevices:
			return cluster.Invalid(where+".count", fmt.Sprintf("%d is not a number of devices from 1 to %d", d.Count, cluster.MaxDevices), "leave it out for one")
		case !strings.HasPrefix(d.Path, "/dev/") || filepath.Clean(d.Path) != d.Path:
			return cluster.Invalid(where+".path", fmt.Sprintf("%q is not a path of a device", d.Path), "give one such as /dev/ttyUSB0")
		}
		devices, _ := Resources{Devices: []Device{d}}.HostDevices()
		if err := cluster.ValidateHostDevices(where, devices[:1]); err != nil {
			return unindexed(err)
		}
		for _, one := range devices {
			if seen[name{one.Kind, one.ID}] {
				return cluster.Invalid(where+".id", fmt.Sprintf("%q is there twice among the devices of kind %s", one.ID, one.Kind), "give each an ID of its own")
			}
			seen[name{one.Kind, one.ID}] = true
		}
	}
	if n := len(seen); n > cluster.MaxDevices {
		return cluster.Invalid(field, fmt.Sprintf("are %d, at most %d are allowed", n, cluster.MaxDevices), "list fewer")
	}
	return nil
}

// unindexed names the entry that the user wrote, not that of the list of one that
// was made of it.
func unindexed(err error) error {
	var fe *cluster.FieldError
	if errors.As(err, &fe) {
		return cluster.Invalid(strings.Replace(fe.Field, "][0]", "]", 1), fe.Reason, fe.Hint)
	}
	return err
}
