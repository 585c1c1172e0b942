package runtimetest

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// gather keeps log lines as "stream: text".
type gather struct {
	mu    sync.Mutex
	lines []string
	times []time.Time
}

func (g *gather) Log(at time.Time, stream string, line []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lines = append(g.lines, stream+": "+string(line))
	g.times = append(g.times, at)
	return nil
}

func (g *gather) has(line string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.lines {
		if l == line {
			return true
		}
	}
	return false
}

func testLogs(t *testing.T, b *bench) {
	id := b.start(t, b.request("serve"))
	followed := &gather{}
	ended := make(chan error, 1)
	go func() { ended <- b.Logs(t.Context(), id, runtime.LogOptions{Follow: true, Tail: -1}, followed) }()
	await(t, "both lines", func() bool {
		return followed.has("stdout: ready") && followed.has("stderr: listening to signals")
	})
	want(t, "Stop", b.Stop(t.Context(), id, 10*time.Second), nil)
	want(t, "Logs, followed to the end", <-ended, nil)

	for name, o := range map[string]runtime.LogOptions{
		"all":    {Tail: -1},
		"since":  {Tail: -1, Since: time.Now().Add(time.Hour)},
		"tail 0": {Tail: 0},
		"tail 1": {Tail: 1},
	} {
		got := &gather{}
		want(t, "Logs", b.Logs(t.Context(), id, o, got), nil)
		wanted := map[string]int{"all": 2, "tail 1": 1}[name]
		if len(got.lines) != wanted {
			t.Errorf("%s: %d lines %q, want %d", name, len(got.lines), got.lines, wanted)
		}
		for _, at := range got.times {
			if at.IsZero() {
				t.Errorf("%s: a line without its time", name)
			}
		}
	}
}

func testExec(t *testing.T, b *bench) {
	id := b.start(t, b.request("serve"))
	var out, errs bytes.Buffer
	code, err := b.Exec(t.Context(), id, runtime.Exec{
		Cmd: []string{"/testprogram", "cat"}, Stdin: strings.NewReader("through"), Stdout: &out, Stderr: &errs,
	})
	if code != 0 || err != nil || out.String() != "through" || errs.Len() != 0 {
		t.Errorf("cat = %d, %v, %q, %q", code, err, &out, &errs)
	}
	code, err = b.Exec(t.Context(), id, runtime.Exec{Cmd: []string{"/testprogram", "exit", "9"}})
	if code != 9 || err != nil {
		t.Errorf("exit 9 = %d, %v", code, err)
	}
}

func testChosenPorts(t *testing.T, b *bench) {
	request := b.network(b.request("serve"))
	request.Publish = []runtime.Publish{{Target: 80, Protocol: "tcp"}, {Target: 53, Protocol: "udp"}}
	id := b.start(t, request)
	var got []cluster.PortBinding
	for _, p := range b.inspect(t, id).Ports {
		if p.Host == 0 {
			t.Errorf("port %d has no host port", p.Target)
		}
		p.Host = 0
		got = append(got, p)
	}
	wanted := []cluster.PortBinding{{Target: 53, Protocol: "udp"}, {Target: 80, Protocol: "tcp"}}
	less := func(a, b cluster.PortBinding) int { return int(a.Target) - int(b.Target) }
	if diff := cmp.Diff(wanted, slices.SortedFunc(slices.Values(got), less)); diff != "" {
		t.Error(diff)
	}
}

func testBusyPort(t *testing.T, b *bench) {
	chosen := b.network(b.request("serve"))
	chosen.Publish = []runtime.Publish{{Target: 80, Protocol: "tcp"}}
	taken := b.inspect(t, b.start(t, chosen)).Ports[0].Host

	request := b.network(b.request("serve"))
	request.Publish = []runtime.Publish{{Target: 80, Host: taken, Protocol: "tcp"}}
	id := b.create(t, request)
	want(t, "Start on a busy port", b.Start(t.Context(), id), runtime.ErrPortBusy)
	if c := b.inspect(t, id); c.Status != runtime.StatusCreated || c.Error == "" {
		t.Errorf("after the failed start: %+v, want it created with an error", c)
	}
}

func testImages(t *testing.T, b *bench) {
	if ok, err := b.HasImage(t.Context(), b.fixture.Image); !ok || err != nil {
		t.Errorf("HasImage = %v, %v, want true", ok, err)
	}
	const tag = "muster-runtimetest:tagged" // stays on the host with the image
	want(t, "Tag", b.Tag(t.Context(), b.fixture.Image, tag), nil)
	if got, err := b.Resolve(t.Context(), tag, nil); got != b.fixture.Image || err != nil {
		t.Errorf("Resolve(%s) = %s, %v, want %s", tag, got, err, b.fixture.Image)
	}
	_, err := b.Resolve(t.Context(), "muster-suite-absent:1", nil)
	want(t, "Resolve of an absent image", err, runtime.ErrNotFound)
	all, err := b.ListImages(t.Context())
	want(t, "ListImages", err, nil)
	for _, i := range all {
		if i.ID == b.fixture.Image && i.Size > 0 {
			return
		}
	}
	t.Errorf("%s is not among the %d images", b.fixture.Image, len(all))
}

// testPeerImage takes the way of an image that the registry cannot give: saved
// on one host, loaded on another, and run there under its repository digest.
func testPeerImage(t *testing.T, b *bench) {
	var tar bytes.Buffer
	want(t, "Save", b.Save(t.Context(), b.fixture.Image, &tar), nil)
	ids, err := b.Load(t.Context(), &tar)
	if err != nil || len(ids) != 1 || ids[0] != b.fixture.Image {
		t.Fatalf("Load = %v, %v, want %s", ids, err, b.fixture.Image)
	}
	digest := "absent.invalid/" + strings.ToLower(b.fixture.Cluster) + "@sha256:" + strings.Repeat("ab", 32)
	want(t, "Tag", b.Tag(t.Context(), ids[0], runtime.PeerTag(digest)), nil)
	if ok, err := b.HasImage(t.Context(), digest); !ok || err != nil {
		t.Errorf("HasImage(%s) = %v, %v, want true", digest, ok, err)
	}
	request := b.request("serve")
	request.Spec.Image = cluster.Image{Ref: "app:1", Digest: digest}
	if c := b.inspect(t, b.start(t, request)); c.Image != b.fixture.Image {
		t.Errorf("it runs %s, want %s", c.Image, b.fixture.Image)
	}
}
