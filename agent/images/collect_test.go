package images

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
)

func TestVictims(t *testing.T) {
	at := func(hours int) time.Time { return time.Date(2026, 1, 1, hours, 0, 0, 0, time.UTC) }
	image := func(id string, names ...string) runtime.Image { return runtime.Image{ID: id, Digests: names} }
	here := []runtime.Image{
		image("old", "r/old@1"), image("new", "r/new@1"), image("newest", "r/newest@1"),
		image("not ours", "r/theirs@1"), image("running", "r/running@1"), image("wanted", "r/wanted@1"),
		image("named by somebody", "r/named@1", "mine:1"),
	}
	entries := map[string]Brought{}
	for i, h := range here {
		if h.ID != "not ours" {
			entries[h.ID] = Brought{ID: h.ID, Digest: h.Digests[0], Names: h.Digests[:1], Used: at(i)}
		}
	}
	entries["gone"] = Brought{ID: "gone", Digest: "r/gone@1"}
	needed := map[string]bool{"running": true, "r/wanted@1": true}
	for keep, want := range map[int][]string{0: {"old", "new", "newest"}, 1: {"old", "new"}, 3: nil, 9: nil} {
		var got []string
		for _, v := range victims(here, entries, needed, keep) {
			got = append(got, v.ID)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("keep %d: %s", keep, d)
		}
	}
}

// small is an engine on a small disk, on which each image takes ten percent.
type small struct {
	*fake.Driver
	base int64 // percent in use without images
}

func (s small) Info(context.Context) (runtime.Info, error) {
	return runtime.Info{DataRoot: "/engine"}, nil
}

func (s small) room(string) (free, size int64, err error) {
	all, err := s.ListImages(context.Background())
	return 100 - s.base - 10*int64(len(all)), 100, err
}

// collecting fetches images that the registry gives, oldest first, and returns
// a collector of them.
func collecting(t *testing.T, base int64, names ...string) (*Collector, small) {
	t.Helper()
	own, engine := fetcher(newFleet())
	own.cfg.Store = storeOf(t, engine)
	for _, name := range names {
		engine.AddRemote(name, digest(name))
		must(t, own.Fetch(t.Context(), digest(name)))
	}
	s := small{engine, base}
	return &Collector{
		Seen:  func([]runtime.Image) {},
		Store: own.cfg.Store, Engine: s, Room: s.room, High: 85, Low: 70, Keep: 1,
		InUse:  func() []string { return nil },
		Wanted: func(context.Context) ([]string, error) { return nil, nil },
		Logger: slog.New(slog.DiscardHandler),
	}, s
}

// left are the images of the host by name.
func left(t *testing.T, d *fake.Driver) string {
	t.Helper()
	all, err := d.ListImages(t.Context())
	must(t, err)
	var out []string
	for _, i := range all {
		name, _, _ := strings.Cut(slices.Concat(i.Digests, i.Tags)[0], "@")
		out = append(out, name)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestUnneededImagesGoWhenTheDiskIsFull(t *testing.T) {
	c, s := collecting(t, 30, "a", "b", "c", "d", "e") // 80 percent
	must(t, c.Collect(t.Context()))
	if got := left(t, s.Driver); got != "a b c d e" {
		t.Errorf("below the threshold: %s", got)
	}
	s.AddImage("theirs:1") // 90 percent
	c.InUse = func() []string { return []string{digest("a")} }
	c.Wanted = func(context.Context) ([]string, error) { return []string{digest("b")}, nil }
	must(t, c.Collect(t.Context()))
	if got := left(t, s.Driver); got != "a b e theirs:1" {
		t.Errorf("what is needed, what is not ours and the newest stay: %s", got)
	}
	if entries := c.Store.ledger.all(); len(entries) != 3 {
		t.Errorf("the ledger has %v", entries)
	}
}

func TestCollectingBeginsLateAndEndsLow(t *testing.T) {
	c, s := collecting(t, 40, "a", "b", "c", "d", "e") // 90 percent
	c.Keep = 0
	must(t, c.Collect(t.Context()))
	if got := left(t, s.Driver); got != "c d e" {
		t.Errorf("down to 70 percent: %s", got)
	}
	s.AddImage("theirs:1") // 80 percent: below the upper threshold
	must(t, c.Collect(t.Context()))
	if got := left(t, s.Driver); got != "c d e theirs:1" {
		t.Errorf("%s", got)
	}
}

func TestNothingGoesThatMightBeNeeded(t *testing.T) {
	for name, spoil := range map[string]func(*Collector, small){
		"no leader": func(c *Collector, _ small) {
			c.Wanted = func(context.Context) ([]string, error) { return nil, errors.New("none") }
		},
		"switched off":     func(c *Collector, _ small) { c.High = 0 },
		"the ledger's end": func(c *Collector, _ small) { c.Store.ledger, _ = openLedger(os.DevNull) },
		"other containers": func(_ *Collector, s small) {
			for _, n := range []string{"a", "b", "c", "d", "e"} {
				_, err := s.Create(context.Background(), runtime.Create{Name: n, Spec: cluster.ContainerSpec{Image: cluster.Image{Digest: digest(n)}}})
				if err != nil {
					panic(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := collecting(t, 45, "a", "b", "c", "d", "e")
			spoil(c, s)
			_ = c.Collect(t.Context())
			if got := left(t, s.Driver); got != "a b c d e" {
				t.Errorf("left: %s", got)
			}
		})
	}
}

// TestOnlyWhatMusterBroughtIsInTheLedger: neither what was here, nor what a user
// pushed here, nor what no registry gives again.
func TestOnlyWhatMusterBroughtIsInTheLedger(t *testing.T) {
	f := newFleet("a")
	local := f.nodes["a"].AddImage("local:1")
	f.nodes["a"].AddImage(digest("pushed"))
	own, engine := fetcher(f)
	own.cfg.Store = storeOf(t, engine)
	engine.AddImage(digest("here"))
	engine.AddRemote("pulled:1", digest("pulled"))
	must(t, own.Fetch(t.Context(), digest("here")))
	must(t, own.Fetch(t.Context(), local))
	must(t, own.Fetch(t.Context(), digest("pulled")))
	must(t, own.Copy(t.Context(), digest("pushed"), "a", "pushed:1"))
	again, err := openLedger(own.cfg.Store.ledger.path)
	must(t, err)
	var got []string
	for _, e := range again.all() {
		got = append(got, e.Digest)
	}
	if want := []string{digest("pulled")}; !slices.Equal(got, want) {
		t.Errorf("the ledger has %v, want %v", got, want)
	}
	must(t, os.WriteFile(again.path, []byte("{"), 0o600))
	if _, err := openLedger(again.path); err == nil {
		t.Error("a broken ledger is not reported")
	}
}

func TestTheClusterHearsWhatWasRemoved(t *testing.T) {
	c, _ := collecting(t, 40, "a", "b", "c", "d", "e") // 90 percent
	var told []string
	c.Tell = func(_ context.Context, removed []api.RemovedImage) error {
		for _, r := range removed {
			told = append(told, r.Name+": "+r.Reason)
		}
		return errors.New("no leader")
	}
	must(t, c.Collect(t.Context()))
	const why = ": nobody needs it and the engine's disk is nearly full: 10 B freed"
	if d := cmp.Diff([]string{digest("a") + why, digest("b") + why}, told); d != "" {
		t.Error(d)
	}
}

func TestPrune(t *testing.T) {
	for name, tc := range map[string]struct {
		ask  api.PruneImages
		want string // what goes
		left string
	}{
		"what Muster brought": {api.PruneImages{}, "c d", "a b built:1 e peers:1"},
		"a dry run":           {api.PruneImages{DryRun: true}, "c d", "a b built:1 c d e peers:1"},
		"all":                 {api.PruneImages{All: true}, "built:1 c d", "a b e peers:1"},
		"all, dry":            {api.PruneImages{All: true, DryRun: true}, "built:1 c d", "a b built:1 c d e peers:1"},
	} {
		t.Run(name, func(t *testing.T) {
			c, s := collecting(t, 0, "a", "b", "c", "d", "e")
			s.AddImage("built:1")
			s.AddImage("peers:1")
			c.InUse = func() []string { return []string{digest("a")} }
			c.Wanted = func(context.Context) ([]string, error) { return []string{digest("b")}, nil }
			for _, i := range []cluster.Image{{Digest: digest("e")}, {Ref: "peers:1"}} {
				_, err := s.Create(t.Context(), runtime.Create{Name: i.Ref + "x", Spec: cluster.ContainerSpec{Image: i}})
				must(t, err)
			}
			told := 0
			c.Tell = func(_ context.Context, removed []api.RemovedImage) error { told += len(removed); return nil }
			got, err := c.Prune(t.Context(), tc.ask)
			must(t, err)
			var gone []string
			for _, i := range got.Images {
				short, _, _ := strings.Cut(i.Name, "@")
				gone = append(gone, short)
			}
			if strings.Join(gone, " ") != tc.want || left(t, s.Driver) != tc.left {
				t.Errorf("%v go, %s are left; want %s and %s", gone, left(t, s.Driver), tc.want, tc.left)
			}
			if want := 10 * int64(len(gone)); !tc.ask.DryRun && (got.Freed != want || told != len(gone)) || tc.ask.DryRun && (got.Freed != 0 || told > 0) {
				t.Errorf("freed %d, told of %d", got.Freed, told)
			}
			if n := len(c.Store.ledger.all()); !tc.ask.DryRun && n != 3 {
				t.Errorf("%d images are in the ledger", n)
			}
		})
	}
	c, s := collecting(t, 0, "a")
	c.Wanted = func(context.Context) ([]string, error) { return nil, errors.New("no leader") }
	if _, err := c.Prune(t.Context(), api.PruneImages{All: true}); err == nil || left(t, s.Driver) != "a" {
		t.Errorf("pruned without knowing what is needed: %v", err)
	}
}
