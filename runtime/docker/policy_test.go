package docker

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// request is a create that every rule allows.
func request() runtime.Create {
	return runtime.Create{
		Name:     "muster-shop-web-1-01arz3ndektsv4rrffq69g5fav",
		Labels:   map[string]string{runtime.LabelCluster: "c1", runtime.LabelTask: "t1"},
		Networks: []runtime.Network{{Name: "muster-shop", Aliases: []string{"web"}}},
		Spec: cluster.ContainerSpec{
			Image:  cluster.Image{Ref: "web:1"},
			Labels: map[string]string{"com.example": "fine"},
			Mounts: []cluster.Mount{
				{Type: cluster.MountBind, Source: "/srv/www", Target: "/www"},
				{Type: cluster.MountBind, Source: "/srv/new", Target: "/new", CreateHostPath: true, ReadOnly: true},
				{Type: cluster.MountVolume, Source: "data", Target: "/data"},
				{Type: cluster.MountVolume, Target: "/anonymous"},
				{Type: cluster.MountTmpfs, Target: "/tmp"},
			},
		},
		VolumePrefix: "shop_",
	}
}

// refs are the networks by name, as they are referred to where there is one of each.
func refs(c *runtime.Create) (out []string) {
	for _, n := range c.Networks {
		out = append(out, n.Name)
	}
	return out
}

// span puts the request into two networks across hosts.
func span(c *runtime.Create, _ *payload) {
	c.Networks = nil
	for i, name := range []string{"front", "back"} {
		subnet := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 194, byte(i * 4), 0}), 22)
		address := subnet.Addr().Next().Next()
		c.Networks = append(c.Networks, runtime.Network{
			Name: fmt.Sprintf("muster-shop-%s-%d", name, i+1), Bridge: fmt.Sprintf("mu%d", i+1), MTU: 1370,
			Subnet: subnet, Gateway: subnet.Addr().Next(), Address: address, MAC: cluster.MAC(address),
		})
	}
	c.DNS = []netip.Addr{c.Networks[0].Gateway}
}

func TestPolicy(t *testing.T) {
	id := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	bindOf := func(source string) func(*runtime.Create, *payload) {
		return func(c *runtime.Create, _ *payload) { c.Spec.Mounts[0].Source = source }
	}
	for name, tc := range map[string]struct {
		// change spoils the request; alter spoils what was made of it.
		change, alter func(*runtime.Create, *payload)
		allowed       bool
	}{
		"a plain request": {allowed: true},
		"host network":    {change: func(c *runtime.Create, _ *payload) { c.Spec.NetworkMode, c.Networks = "host", nil }, allowed: true},
		"no network":      {change: func(c *runtime.Create, _ *payload) { c.Spec.NetworkMode, c.Networks = "none", nil }, allowed: true},
		"network by ID": {alter: func(_ *runtime.Create, p *payload) {
			p.host.NetworkMode = container.NetworkMode(id)
			p.net.EndpointsConfig = map[string]*network.EndpointSettings{id: p.net.EndpointsConfig["muster-shop"]}
		}, allowed: true},
		"docker's bridge":     {change: func(c *runtime.Create, _ *payload) { c.Networks[0].Name = "bridge" }},
		"default network":     {change: func(c *runtime.Create, _ *payload) { c.Networks = nil }},
		"container's network": {change: func(c *runtime.Create, _ *payload) { c.Spec.NetworkMode, c.Networks = "container:db", nil }},
		"second endpoint": {alter: func(_ *runtime.Create, p *payload) {
			p.net.EndpointsConfig["muster-other"] = &network.EndpointSettings{}
		}},
		"two networks": {change: span, allowed: true},
		"foreign bridge": {change: func(c *runtime.Create, _ *payload) {
			span(c, nil)
			c.Networks[0].Bridge = "docker0"
		}},
		"address of elsewhere": {change: func(c *runtime.Create, _ *payload) {
			span(c, nil)
			c.Networks[1].Address = netip.MustParseAddr("192.0.2.1")
		}},
		"address of the gateway": {change: func(c *runtime.Create, _ *payload) {
			span(c, nil)
			c.Networks[0].Address = c.Networks[0].Gateway
		}},
		"other address": {change: span, alter: func(_ *runtime.Create, p *payload) {
			p.net.EndpointsConfig["muster-shop-front-1"].IPAMConfig.IPv4Address = "10.194.0.9"
		}},
		"other hardware address":       {change: span, alter: func(_ *runtime.Create, p *payload) { p.config.MacAddress = "02:42:00:00:00:01" }}, //nolint:staticcheck // what engines before API 1.44 go by
		"joins another network":        {change: span, alter: func(_ *runtime.Create, p *payload) { p.joins[0].network = "muster-other" }},
		"joins the engine's network":   {change: span, alter: func(_ *runtime.Create, p *payload) { p.joins[0].network = "bridge" }},
		"joins its first network":      {change: span, alter: func(_ *runtime.Create, p *payload) { p.joins[0].network = "muster-shop-front-1" }},
		"joins with another name":      {change: span, alter: func(_ *runtime.Create, p *payload) { p.joins[0].endpoint.Aliases = []string{"db"} }},
		"joins with another address":   {change: span, alter: func(_ *runtime.Create, p *payload) { p.joins[0].endpoint.IPAMConfig = nil }},
		"joins with links":             {change: span, alter: func(_ *runtime.Create, p *payload) { p.joins[0].endpoint.Links = []string{"db"} }},
		"joins with options":           {change: span, alter: func(_ *runtime.Create, p *payload) { p.joins[0].endpoint.DriverOpts = map[string]string{"a": "b"} }},
		"joins beside host networking": {change: span, alter: func(_ *runtime.Create, p *payload) { p.host.NetworkMode, p.net = "host", nil }},
		"foreign name":                 {change: func(c *runtime.Create, _ *payload) { c.Name = "web" }},
		"name with a path":             {change: func(c *runtime.Create, _ *payload) { c.Name = "muster-../web" }},
		"no cluster":                   {change: func(c *runtime.Create, _ *payload) { delete(c.Labels, runtime.LabelCluster) }},
		"user sets our label":          {change: func(c *runtime.Create, _ *payload) { c.Spec.Labels = map[string]string{runtime.LabelTask: "t2"} }},
		"user sets unset label":        {change: func(c *runtime.Create, _ *payload) { c.Spec.Labels = map[string]string{runtime.LabelSlot: "9"} }},
		"user invents our label":       {change: func(c *runtime.Create, _ *payload) { c.Spec.Labels = map[string]string{"muster.secret": "x"} }},
		"relative bind":                {change: bindOf("srv/www")},
		"empty bind":                   {change: bindOf("")},
		"bind with dots":               {change: bindOf("/srv/../etc")},
		"bind with slash":              {change: bindOf("/srv/")},
		"bind of our data":             {change: bindOf("/var/lib/muster")},
		"bind below our data":          {change: bindOf("/var/lib/muster/raft")},
		"bind above our data":          {change: bindOf("/var/lib")},
		"bind of everything":           {change: bindOf("/")},
		"bind beside our data":         {change: bindOf("/var/lib/muster2"), allowed: true},
		"made bind of our data":        {change: func(c *runtime.Create, _ *payload) { c.Spec.Mounts[1].Source = "/var/lib/muster" }},
		"made bind with colon":         {change: func(c *runtime.Create, _ *payload) { c.Spec.Mounts[1].Source = "/srv/a:b" }},
		"made relative bind":           {change: func(c *runtime.Create, _ *payload) { c.Spec.Mounts[1].Source = "data" }},
		"volume with a path":           {change: func(c *runtime.Create, _ *payload) { c.Spec.Mounts[2].Source = "../x" }},
		"external path":                {change: func(c *runtime.Create, _ *payload) { c.Spec.Mounts[2].Source, c.Spec.Mounts[2].External = "/etc", true }},
		"forged volume label": {change: func(c *runtime.Create, _ *payload) {
			c.Spec.Mounts[2].Labels = map[string]string{runtime.LabelCluster: "c2"}
		}},
		"disguised bind": {alter: func(_ *runtime.Create, p *payload) {
			p.host.Mounts[1].VolumeOptions.DriverConfig = &mount.Driver{
				Name: "local", Options: map[string]string{"type": "none", "o": "bind", "device": "/etc"},
			}
		}},
		"disguised, no name": {alter: func(_ *runtime.Create, p *payload) {
			p.host.Mounts[1].VolumeOptions.DriverConfig = &mount.Driver{Options: map[string]string{"device": "/etc"}}
		}},
		"foreign driver": {alter: func(_ *runtime.Create, p *payload) {
			p.host.Mounts[1].VolumeOptions.DriverConfig = &mount.Driver{Name: "nfs", Options: map[string]string{"share": "a"}}
		}, allowed: true},
		"unknown mount type": {alter: func(_ *runtime.Create, p *payload) { p.host.Mounts[0].Type = mount.TypeImage }},
		"restart by engine":  {alter: func(_ *runtime.Create, p *payload) { p.host.RestartPolicy.Name = container.RestartPolicyAlways }},
		"restart unsaid":     {alter: func(_ *runtime.Create, p *payload) { p.host.RestartPolicy.Name = "" }},
		"removal by engine":  {alter: func(_ *runtime.Create, p *payload) { p.host.AutoRemove = true }},
		"all ports":          {alter: func(_ *runtime.Create, p *payload) { p.host.PublishAllPorts = true }},
		"container's pid":    {alter: func(_ *runtime.Create, p *payload) { p.host.PidMode = "container:db" }},
		"container's ipc":    {alter: func(_ *runtime.Create, p *payload) { p.host.IpcMode = "container:db" }},
		"container's cgroup": {alter: func(_ *runtime.Create, p *payload) { p.host.Cgroup = "container:db" }},
		"volumes from":       {alter: func(_ *runtime.Create, p *payload) { p.host.VolumesFrom = []string{"db"} }},
		"links":              {alter: func(_ *runtime.Create, p *payload) { p.host.Links = []string{"db"} }},
	} {
		t.Run(name, func(t *testing.T) {
			c := request()
			if tc.change != nil {
				tc.change(&c, nil)
			}
			made := newPayload(&c, surroundings{api: "1.41", networks: refs(&c)})
			if tc.alter != nil {
				tc.alter(&c, &made)
			}
			p := policy{protected: []string{"/var/lib/muster"}, resolve: func(s string) (string, error) { return s, nil }}
			err := p.check(&c, made)
			for i := range c.Networks {
				err = errors.Join(err, p.checkBridge(&c.Networks[i]))
			}
			switch {
			case tc.allowed && err != nil:
				t.Errorf("check = %v, want it allowed", err)
			case !tc.allowed && !errors.Is(err, runtime.ErrRefused):
				t.Errorf("check = %v, want ErrRefused", err)
			}
		})
	}
}

func TestPolicyFollowsLinks(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, d := range []string{"data", "srv"} {
		if err := os.Mkdir(at(d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"to-data": at("data"), "to-srv": at("srv"), "data-link": at("data"), "dangling": at("data/later"),
	} {
		if err := os.Symlink(target, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	p := policy{protected: []string{at("data-link")}, resolve: resolvePath}
	for source, allowed := range map[string]bool{
		at("srv"):             true,
		at("to-srv"):          true,
		at("srv/not/yet"):     true,
		at("data"):            false,
		at("to-data"):         false,
		at("to-data/not/yet"): false,
		at("data-link"):       false,
		at("dangling"):        false,
		dir:                   false,
	} {
		if err := p.checkSource(source); (err == nil) != allowed {
			t.Errorf("checkSource(%s) = %v, want allowed: %v", source, err, allowed)
		}
	}
}
