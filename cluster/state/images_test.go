package state

import (
	"bytes"
	"testing"

	"github.com/musterhq/muster/cluster"
)

// imaged is a spec whose image has a digest.
func imaged(digest string) cluster.ServiceSpec {
	s := spec("app", 1)
	s.Template.Container.Image.Digest = digest
	return s
}

func noted(node, digest, id string) NoteImages {
	return NoteImages{Node: cluster.NodeID(node), Images: []PulledImage{{digest, id}}}
}

func TestTheFirstWordOnADigestCounts(t *testing.T) {
	w := newWorld(t, "amd", "amd2", "arm")
	for _, n := range []string{"amd", "amd2", "arm"} {
		w.must(UpdateNode{ID: cluster.NodeID(n), OS: "linux", Arch: map[bool]string{true: "aarch64", false: "x86_64"}[n == "arm"]})
	}
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", imaged("app@sha256:1")}}})
	w.must(noted("amd", "app@sha256:1", "sha256:a"))
	w.must(noted("amd2", "app@sha256:1", "sha256:a"))
	w.refused(noted("amd2", "app@sha256:1", "sha256:evil"), CodeConflict)
	w.refused(noted("nobody", "app@sha256:1", "sha256:a"), CodeNotFound)
	w.must(noted("arm", "app@sha256:1", "sha256:b")) // a list of manifests
	w.must(noted("amd", "unused@sha256:1", "sha256:c"))
	for node, want := range map[cluster.NodeID]string{"amd": "sha256:a", "amd2": "sha256:a", "arm": "sha256:b", "nobody": ""} {
		if got := w.View().ImageID(node, "app@sha256:1"); got != want {
			t.Errorf("on %s it is %q, want %q", node, got, want)
		}
	}
	if got := w.View().ImageID("amd", "unused@sha256:1"); got != "" {
		t.Errorf("an image that no service needs is known as %s", got)
	}

	var snap bytes.Buffer
	if err := w.View().WriteSnapshot(&snap); err != nil {
		t.Fatal(err)
	}
	if st, err := ReadSnapshot(&snap); err != nil || st.View().ImageID("arm", "app@sha256:1") != "sha256:b" {
		t.Errorf("after a snapshot: %v", err)
	}
}

func TestImagesThatNoGenerationNeedsAreForgotten(t *testing.T) {
	w := newWorld(t, "n1")
	digest := func(i int) string { return "app@sha256:" + string(rune('a'+i)) }
	for i := range 2 * KeepGenerations {
		w.must(PutStack{Stack: "s", Services: []NamedSpec{{"web", imaged(digest(i))}}})
		w.must(noted("n1", digest(i), "sha256:1"))
	}
	if n := w.View().images.len(); n != KeepGenerations {
		t.Errorf("%d images are kept for %d generations", n, KeepGenerations)
	}
	w.must(RemoveStack{Stack: "s"})
	w.must(Reconcile{Forget: []cluster.ServiceID{"s/web"}})
	w.must(noted("n1", digest(0), "sha256:1"))
	if n := w.View().images.len(); n != 0 {
		t.Errorf("%d images are kept for no service", n)
	}
}
