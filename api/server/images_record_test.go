package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func TestTheRecordOfAnImageIsKeptOnceAllVotersKnowIt(t *testing.T) {
	r := newRing(t, nil, "n1", "n2", "w3", "w4")
	app := "app@sha256:" + strings.Repeat("1", 64)
	ids := map[string]string{"w3": "sha256:" + strings.Repeat("a", 64), "w4": "sha256:" + strings.Repeat("b", 64)}
	r.put(func(s *cluster.ServiceSpec) { s.Template.Container.Image.Digest = app })
	note := func(who, through string) *api.Error {
		h := r.host(who)
		return h.call(r.host(through), http.MethodPost, "/v1/node/images/pulled", api.ImagePulled{Node: h.id, Digest: app, ID: ids[who]}, nil)
	}
	known := func() (out api.ImageRecord) {
		t.Helper()
		w := r.host("w4")
		wantCode(t, "look the record up", w.call(r.host("n2"), http.MethodPost, "/v1/node/images/record", api.ImageQuestion{Node: w.id, Digest: app}, &out), "")
		return out
	}
	wantCode(t, "note for old voters", note("w3", "n1"), "")
	if diff := cmp.Diff(api.ImageRecord{}, known()); diff != "" {
		t.Errorf("with old voters (-want +got):\n%s", diff)
	}
	for _, name := range []string{"n1", "n2"} {
		up := state.UpdateNode(update(r.host(name)))
		up.Commands = state.Version
		r.apply(up)
	}
	if diff := cmp.Diff(api.ImageRecord{Kept: true}, known()); diff != "" {
		t.Errorf("with new voters (-want +got):\n%s", diff)
	}
	wantCode(t, "note", note("w3", "n2"), "")
	index := r.view().Index()
	wantCode(t, "note it again", note("w3", "n1"), "")
	wantCode(t, "note another image", note("w4", "n1"), api.CodeConflict)
	if after := r.view().Index(); after != index+1 {
		t.Errorf("%d entries of the log for what is known", after-index-1)
	}
	if diff := cmp.Diff(api.ImageRecord{Kept: true, ID: ids["w3"]}, known()); diff != "" {
		t.Errorf("noted (-want +got):\n%s", diff)
	}
	h := r.host("w3")
	for _, bad := range []api.ImagePulled{{Node: h.id, Digest: "app:1", ID: ids["w3"]}, {Node: h.id, Digest: app, ID: "app:1"}} {
		wantCode(t, "note nonsense", h.call(r.host("n1"), http.MethodPost, "/v1/node/images/pulled", bad, nil), api.CodeInvalid)
	}
}

func TestANodeVouchesForWhatItPulled(t *testing.T) {
	r := newRing(t, nil, "n1", "w2")
	app := "app@sha256:" + strings.Repeat("1", 64)
	ask := func() *api.Error {
		return r.host("n1").call(r.host("w2"), http.MethodPost, "/v1/node/image/vouch?digest="+app, nil, nil)
	}
	wantCode(t, "an image that is not there", ask(), api.CodeNotFound)
	r.host("w2").engine.AddImage(app)
	wantCode(t, "an image that is there", ask(), "")
}
