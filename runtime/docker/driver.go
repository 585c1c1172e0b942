package docker

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/client"

	"github.com/musterhq/muster/runtime"
)

// Config says which engine to drive and what no container may reach.
type Config struct {
	// Host is the engine's address ("unix:///var/run/docker.sock" when empty).
	Host string
	// Protected are host paths (the agent's data directory and sockets) that no
	// bind mount may be, contain or lie under.
	Protected []string
	// Counted are the files of devices that are given to containers by Create's
	// Devices only.
	Counted []string
}

// Driver is a Docker Engine. It implements runtime.Driver and runtime.Builder
// and is safe for concurrent use.
type Driver struct {
	host   string
	policy policy
	pinger *client.Client // unversioned; never used for anything else

	conns      atomic.Pointer[connections]
	connecting chan struct{} // holds a token while someone negotiates
	networks   *networks
	details    *details
	cores      atomic.Int64 // of the host; 0: not asked yet
	quota      atomic.Bool  // is good once cores is known
}

// connections are the clients of all classes, for one API version.
type connections struct {
	api   string // the engine's newest
	class [classes]*client.Client
}

var (
	_ runtime.Driver  = (*Driver)(nil)
	_ runtime.Builder = (*Driver)(nil)
)

// New makes a driver; the engine need not answer yet.
func New(c Config) (*Driver, error) {
	if c.Host == "" {
		c.Host = client.DefaultDockerHost
	}
	pinger, err := client.NewClientWithOpts(client.WithHost(c.Host))
	if err != nil {
		return nil, fmt.Errorf("docker host %q: %w; write it as unix:///path/to/docker.sock", c.Host, err)
	}
	return &Driver{
		host:       c.Host,
		policy:     policy{protected: c.Protected, counted: c.Counted, resolve: resolvePath},
		pinger:     pinger,
		connecting: make(chan struct{}, 1),
		networks:   newNetworks(),
		details:    newDetails(),
	}, nil
}

// Close drops idle connections. Calls in flight end with their contexts.
func (d *Driver) Close() error {
	if c := d.conns.Load(); c != nil {
		c.close()
	}
	return d.pinger.Close()
}

// Ping asks whether the engine answers within two seconds, and follows it to
// another API version after an upgrade.
func (d *Driver) Ping(ctx context.Context) error {
	answer, err := d.ping(ctx)
	if err == nil {
		if c := d.conns.Load(); c == nil || c.api != answer.APIVersion {
			_, err = d.connect(answer)
		}
	}
	return classify(ctx, "ping the engine", err)
}

func (d *Driver) ping(ctx context.Context) (types.Ping, error) {
	ctx, cancel := context.WithTimeout(ctx, pingDeadline)
	defer cancel()
	return d.pinger.Ping(ctx)
}

// client returns the class's client. The version is negotiated here, once for
// all, because the library's own negotiation makes callers queue behind a lock
// that knows no context.
func (d *Driver) client(ctx context.Context, k class) (*client.Client, error) {
	if c := d.conns.Load(); c != nil {
		return c.class[k], nil
	}
	select {
	case d.connecting <- struct{}{}:
		defer func() { <-d.connecting }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c := d.conns.Load(); c != nil {
		return c.class[k], nil
	}
	answer, err := d.ping(ctx)
	if err != nil {
		return nil, err
	}
	c, err := d.connect(answer)
	if err != nil {
		return nil, err
	}
	return c.class[k], nil
}

// connect makes the clients for the version that the engine named.
func (d *Driver) connect(answer types.Ping) (*connections, error) {
	fresh := &connections{api: answer.APIVersion}
	for k := range fresh.class {
		c, err := client.NewClientWithOpts(client.WithHost(d.host), client.WithAPIVersionNegotiation())
		if err != nil {
			return nil, err
		}
		c.NegotiateAPIVersionPing(answer)
		fresh.class[k] = c
	}
	if old := d.conns.Swap(fresh); old != nil {
		old.close()
	}
	return fresh, nil
}

func (c *connections) close() {
	for _, cl := range c.class {
		_ = cl.Close() // only drops idle connections
	}
}

// Info describes the engine and its host.
func (d *Driver) Info(ctx context.Context) (runtime.Info, error) {
	var out runtime.Info
	err := d.call(ctx, classRead, "ask the engine about itself", func(ctx context.Context, c *client.Client) error {
		i, err := c.Info(ctx)
		if err != nil {
			return err
		}
		d.quota.Store(quotaOf(i.Driver, i.DriverStatus, i.DockerRootDir))
		d.cores.Store(int64(i.NCPU))
		out = runtime.Info{
			EngineVersion: i.ServerVersion,
			OS:            i.OSType,
			Arch:          goArch(i.Architecture),
			MilliCPU:      int64(i.NCPU) * 1000,
			Memory:        i.MemTotal,
			Labels:        map[string]string{},
			DataRoot:      i.DockerRootDir,
			Settings: runtime.Settings{
				StorageDriver: i.Driver, CgroupDriver: i.CgroupDriver, CgroupVersion: i.CgroupVersion,
				LogDriver: i.LoggingDriver, LiveRestore: i.LiveRestoreEnabled, Warnings: i.Warnings,
			},
		}
		if conns := d.conns.Load(); conns != nil {
			out.Settings.APIVersion = conns.api
		}
		for _, l := range i.Labels {
			k, v, _ := strings.Cut(l, "=")
			out.Labels[k] = v
		}
		return nil
	})
	return out, err
}

// hostCores is the number of the host's cores, asked once.
func (d *Driver) hostCores(ctx context.Context) (int64, error) {
	if n := d.cores.Load(); n > 0 {
		return n, nil
	}
	i, err := d.Info(ctx)
	return i.MilliCPU / 1000, err
}

// hasQuota reports whether the engine limits what containers write.
func (d *Driver) hasQuota(ctx context.Context) (bool, error) {
	_, err := d.hostCores(ctx)
	return d.quota.Load(), err
}

// goArch turns the kernel's name of a machine (uname -m) into Go's.
func goArch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "armv7l", "armv6l":
		return "arm"
	case "i686", "i386":
		return "386"
	}
	return machine
}

// parseTime reads the engine's RFC 3339 time; its zero time is Go's.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC()
}
