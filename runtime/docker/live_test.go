package docker

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/runtimetest"
)

// liveRequest is a container of the suite's image on a network of its own.
func liveRequest(t *testing.T, d *Driver, f runtimetest.Fixture) runtime.Create {
	t.Helper()
	t.Cleanup(func() { clean(t, d, f) })
	own := map[string]string{runtime.LabelCluster: f.Cluster, runtime.LabelStack: "live"}
	return runtime.Create{
		Name: "muster-" + f.Cluster, Labels: own, Networks: []runtime.Network{{Name: "muster-" + f.Cluster, Labels: own}},
		VolumeLabels: own, VolumePrefix: f.Cluster + "_",
		Spec: cluster.ContainerSpec{Image: cluster.Image{Digest: f.Image}},
	}
}

func clean(t *testing.T, d *Driver, f runtimetest.Fixture) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	all, err := d.List(ctx, f.Cluster)
	for _, c := range all {
		err = errors.Join(err, d.Remove(ctx, c.ID))
	}
	if err := errors.Join(err, d.RemoveNetworks(ctx, f.Cluster, nil), d.Close()); err != nil {
		t.Errorf("clean up: %v", err)
	}
}

func mustRun(t *testing.T, d *Driver, c runtime.Create) string {
	t.Helper()
	id, err := d.Create(t.Context(), c)
	if err == nil {
		err = d.Start(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestManyCreatesMakeOneNetwork(t *testing.T) {
	d, f := live(t, Config{})
	request := liveRequest(t, d, f)
	var g sync.WaitGroup
	refs := make([]string, 8)
	for i := range refs {
		other, err := New(Config{Host: d.host}) // another process knows nothing of our lock
		if err != nil {
			t.Fatal(err)
		}
		g.Go(func() {
			refs[i], err = other.ensureNetwork(t.Context(), &request.Networks[0])
			if err := errors.Join(err, other.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	found, err := d.networksNamed(t.Context(), request.Networks[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range refs {
		if ref != request.Networks[0].Name && ref != found[0].ID {
			t.Errorf("a create uses %s, want the name or the oldest, %s", ref, found[0].ID)
		}
	}
	mustRun(t, d, request)
}

func TestNetworkOfOthersIsRefused(t *testing.T) {
	d, f := live(t, Config{})
	request := liveRequest(t, d, f)
	err := d.makeNetwork(t.Context(), &runtime.Network{Name: request.Networks[0].Name})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = d.call(context.Background(), classWrite, "remove network", func(ctx context.Context, c *client.Client) error {
			return c.NetworkRemove(ctx, request.Networks[0].Name)
		})
	}()
	if _, err := d.Create(t.Context(), request); !errors.Is(err, runtime.ErrInvalid) {
		t.Errorf("Create = %v, want ErrInvalid", err)
	}
}

func TestMountsReachTheContainer(t *testing.T) {
	d, f := live(t, Config{Protected: []string{"/var/lib/muster"}})
	t.Cleanup(func() { removeVolume(t, d.host, f.Cluster+"_data") }) // runs after the containers' removal
	request := liveRequest(t, d, f)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "greeting"), []byte("from the host"), 0o644); err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(dir, "made", "by", "engine")
	request.Spec.Mounts = []cluster.Mount{
		{Type: cluster.MountBind, Source: dir, Target: "/host", ReadOnly: true},
		{Type: cluster.MountBind, Source: made, Target: "/made", CreateHostPath: true},
		{Type: cluster.MountVolume, Source: "data", Target: "/data", Labels: map[string]string{"keep": "yes"}},
		{Type: cluster.MountTmpfs, Target: "/tmp", TmpfsSize: 1 << 20, TmpfsMode: 0o1777},
	}
	id := mustRun(t, d, request)
	exec := func(words ...string) (string, int) {
		var out strings.Builder
		code, err := d.Exec(t.Context(), id, runtime.Exec{Cmd: append([]string{"/testprogram"}, words...), Stdout: &out})
		if err != nil {
			t.Fatal(err)
		}
		return out.String(), code
	}
	if out, code := exec("read", "/host/greeting"); out != "from the host" || code != 0 {
		t.Errorf("read of the bind = %q, %d", out, code)
	}
	for path, writable := range map[string]bool{"/host/x": false, "/made/x": true, "/data/x": true, "/tmp/x": true} {
		if _, code := exec("write", path, "x"); (code == 0) != writable {
			t.Errorf("write to %s: exit code %d, want writable: %v", path, code, writable)
		}
	}
	if _, err := os.Stat(filepath.Join(made, "x")); err != nil {
		t.Errorf("the bind that the engine made: %v", err)
	}
	err := d.call(t.Context(), classRead, "inspect volume", func(ctx context.Context, c *client.Client) error {
		v, err := c.VolumeInspect(ctx, f.Cluster+"_data")
		if v.Labels["keep"] != "yes" || v.Labels[runtime.LabelCluster] != f.Cluster {
			t.Errorf("labels of the volume = %v", v.Labels)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func removeVolume(t *testing.T, host, name string) {
	d, err := New(Config{Host: host})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	err = d.call(context.Background(), classWrite, "remove volume", func(ctx context.Context, c *client.Client) error {
		return c.VolumeRemove(ctx, name, true)
	})
	if err != nil {
		t.Errorf("clean up: %v", err)
	}
}

func TestLimitsAndNamesReachTheEngine(t *testing.T) {
	d, f := live(t, Config{})
	request := liveRequest(t, d, f)
	longest := strings.Repeat("s", cluster.MaxNameLength)
	request.Name = "muster-" + longest + "-" + longest + "-1000000000-01arz3ndektsv4rrffq69g5fav"
	request.Limits = cluster.Resources{MilliCPU: 500, Memory: 64 << 20}
	request.Reservations = cluster.Resources{MilliCPU: 250, Memory: 32 << 20}
	request.PidsLimit = 50
	request.Spec.Ulimits = []cluster.Ulimit{{Name: "nofile", Soft: 512, Hard: 1024}}
	request.Spec.CapDrop, request.Spec.CapAdd = []string{"ALL"}, []string{"NET_BIND_SERVICE"}
	request.Spec.StopGrace = 3 * time.Second
	id := mustRun(t, d, request)
	err := d.call(t.Context(), classRead, "inspect", func(ctx context.Context, c *client.Client) error {
		got, err := c.ContainerInspect(ctx, id)
		if err != nil {
			return err
		}
		h := got.HostConfig
		if h.NanoCPUs != 500_000_000 || h.Memory != 64<<20 || h.MemoryReservation != 32<<20 || h.CPUShares != 256 ||
			*h.PidsLimit != 50 || h.RestartPolicy.Name != "no" || h.LogConfig.Config["max-size"] != "10m" ||
			*got.Config.StopTimeout != 3 || got.Name != "/"+request.Name {
			t.Errorf("inspect: %+v %+v", h, got.Config)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestExternalVolumeMustExist(t *testing.T) {
	d, f := live(t, Config{})
	request := liveRequest(t, d, f)
	request.Spec.Mounts = []cluster.Mount{{Type: cluster.MountVolume, Source: f.Cluster, Target: "/data", External: true}}
	if _, err := d.Create(t.Context(), request); !errors.Is(err, runtime.ErrInvalid) {
		t.Errorf("Create = %v, want ErrInvalid", err)
	}
}

// A hung engine accepts connections and never answers.
func TestHungEngine(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "hung.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d, err := New(Config{Host: "unix://" + socket})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var g sync.WaitGroup
	for range 4 { // the negotiation must not make them queue for one deadline each
		g.Go(func() {
			if _, err := d.List(t.Context(), "c"); !errors.Is(err, runtime.ErrEngine) {
				t.Errorf("List = %v, want ErrEngine", err)
			}
		})
	}
	g.Wait()
	if err := d.Ping(t.Context()); !errors.Is(err, runtime.ErrEngine) {
		t.Errorf("Ping = %v, want ErrEngine", err)
	}
}

func TestAbsentEngine(t *testing.T) {
	d, err := New(Config{Host: "unix://" + filepath.Join(t.TempDir(), "none.sock")})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.List(t.Context(), "c"); !errors.Is(err, runtime.ErrEngine) {
		t.Errorf("List = %v, want ErrEngine", err)
	}
}
