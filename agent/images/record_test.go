package images

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// recordOf is the cluster's record, for one platform.
type recordOf struct {
	ids    map[string]string
	old    bool // a voter is too old to keep one
	silent bool // no voter answers
}

func (r *recordOf) ImageID(_ context.Context, digest string) (string, bool, error) {
	if r.silent {
		return "", false, errors.New("no voter answers")
	}
	return r.ids[digest], !r.old, nil
}

func (r *recordOf) NoteImage(_ context.Context, digest, id string) error {
	if known := r.ids[digest]; known != "" && known != id {
		return api.Errorf(api.CodeConflict, "it is %s", known)
	}
	r.ids[digest] = id
	return nil
}

func TestAnImageFromAPeerIsTheRecordedOne(t *testing.T) {
	app := digest("app")
	right := "sha256:" + strings.Repeat("a", 64)
	wrong := "sha256:" + strings.Repeat("b", 64)
	pulled := func(n *node, id string) { // from the registry
		n.AddImage(id)
		n.AddDigest(id, app)
	}
	handed := func(n *node, id string) { // from another node
		n.AddImage(id)
		must(t, n.Tag(t.Context(), id, runtime.PeerTag(app)))
	}
	for name, tc := range map[string]struct {
		record   recordOf
		a, b     func(n *node)
		want     string // ID, "" for none
		says     string
		recorded string
	}{
		"the recorded one": {
			record: recordOf{ids: map[string]string{app: right}},
			a:      func(n *node) { handed(n, right) }, want: right, recorded: right,
		},
		"another one": {
			record: recordOf{ids: map[string]string{app: right}},
			a:      func(n *node) { pulled(n, wrong) }, says: "the cluster knows " + right, recorded: right,
		},
		"another one and the recorded one": {
			record: recordOf{ids: map[string]string{app: right}},
			a:      func(n *node) { handed(n, wrong) }, b: func(n *node) { handed(n, right) }, want: right, recorded: right,
		},
		"no record, and from the registry": {
			record: recordOf{ids: map[string]string{}},
			a:      func(n *node) { pulled(n, right) }, want: right, recorded: right,
		},
		"no record, and from a node": {
			record: recordOf{ids: map[string]string{}},
			a:      func(n *node) { handed(n, right) }, says: "no node that had it from the registry",
		},
		"no record, from a node, while another knows": {
			record: recordOf{ids: map[string]string{}},
			a:      func(n *node) { handed(n, wrong) }, b: func(n *node) { pulled(n, right) }, want: right, recorded: right,
		},
		"a voter that keeps none": {
			record: recordOf{ids: map[string]string{}, old: true},
			a:      func(n *node) { handed(n, right) }, want: right,
		},
		"no voter": {
			record: recordOf{silent: true},
			a:      func(n *node) { pulled(n, right) }, says: "no voter answers",
		},
		"a digest that is the ID": {
			record: recordOf{silent: true},
			a: func(n *node) {
				id := strings.TrimPrefix(app, "app@")
				pulled(n, id)
			}, want: strings.TrimPrefix(app, "app@"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet("a", "b")
			f.record = &tc.record
			tc.a(f.nodes["a"])
			if tc.b != nil {
				tc.b(f.nodes["b"])
			}
			own, engine := fetcher(f)
			own.cfg.Record = &tc.record
			err := own.Fetch(t.Context(), app)
			if tc.want == "" {
				if err == nil || !strings.Contains(err.Error(), tc.says) || errors.Is(err, runtime.ErrNotFound) {
					t.Errorf("got %v, want %q", err, tc.says)
				}
				if len(f.sent) > 0 {
					t.Errorf("sent %v", f.sent)
				}
			} else if err != nil || !has(t, engine, app) || !has(t, engine, tc.want) {
				t.Errorf("it is not here: %v", err)
			}
			if got := tc.record.ids[app]; got != tc.recorded {
				t.Errorf("recorded %q, want %q", got, tc.recorded)
			}
		})
	}
}

func TestAUserMayNameTheNodeOfAnImageWithoutRecord(t *testing.T) {
	f := newFleet("a")
	id := f.nodes["a"].AddImage("app:1")
	must(t, f.nodes["a"].Tag(t.Context(), id, runtime.PeerTag(digest("app"))))
	own, engine := fetcher(f)
	own.cfg.Record = &recordOf{ids: map[string]string{}}
	must(t, own.Copy(t.Context(), digest("app"), "a", ""))
	if !has(t, engine, id) {
		t.Error("it is not here")
	}
	other, _ := fetcher(f)
	other.cfg.Record = &recordOf{ids: map[string]string{digest("app"): "sha256:" + strings.Repeat("a", 64)}}
	if err := other.Copy(t.Context(), digest("app"), "a", ""); err == nil {
		t.Error("an image that is not the recorded one was taken")
	}
}

func TestAPullIsNoted(t *testing.T) {
	own, engine := fetcher(newFleet())
	record := &recordOf{ids: map[string]string{}}
	own.cfg.Record = record
	engine.AddRemote("app:1", digest("app"))
	must(t, own.Fetch(t.Context(), digest("app")))
	if id := record.ids[digest("app")]; id == "" || !has(t, engine, id) {
		t.Errorf("recorded %q", id)
	}
	// What the cluster knows otherwise, or cannot note, is no reason not to run.
	for _, r := range []*recordOf{{ids: map[string]string{digest("app"): "sha256:other"}}, {silent: true, ids: map[string]string{}}} {
		again, engine := fetcher(newFleet())
		again.cfg.Record = r
		engine.AddRemote("app:1", digest("app"))
		must(t, again.Fetch(t.Context(), digest("app")))
	}
}

func TestOnlyWhatTheRegistryGaveIsVouchedFor(t *testing.T) {
	own, engine := fetcher(&fleet{nodes: map[cluster.NodeID]*node{}})
	record := &recordOf{ids: map[string]string{}}
	own.cfg.Record = record
	must(t, engine.Tag(t.Context(), engine.AddImage("app:1"), runtime.PeerTag(digest("app"))))
	var e *api.Error
	if err := own.Vouch(t.Context(), digest("app")); !errors.As(err, &e) || e.Code != api.CodeNotFound || len(record.ids) > 0 {
		t.Errorf("it vouches for an image from another node: %v, %v", err, record.ids)
	}
}
