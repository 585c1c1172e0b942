package images

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// However an image came here, it is told by the hash that a service names it by.
func TestHeldImagesAreToldByTheirHashes(t *testing.T) {
	digest := "registry:5000/web@sha256:2"
	got := Held([]runtime.Image{
		{ID: "sha256:1", Tags: []string{"web:1"}, Digests: []string{digest, "mirror/web@sha256:2"}, Size: 10},
		{ID: "sha256:3", Tags: []string{runtime.PeerTag("web@sha256:4"), "web:3"}, Size: 20},
		{ID: "sha256:5", Size: 30},
	})
	want := api.HeldImages{"sha256:1": 10, "sha256:2": 10, "sha256:3": 20, "sha256:4": 20, "sha256:5": 30}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if hash := (cluster.Image{Digest: digest}).Hash(); got[hash] != 10 {
		t.Errorf("a service asks for %s", hash)
	}
}

func TestOfTooManyImagesTheLargestAreTold(t *testing.T) {
	var here []runtime.Image
	for i := range 2 * api.MaxHeldImages {
		here = append(here, runtime.Image{ID: fmt.Sprintf("sha256:%d", i), Size: int64(i)})
	}
	got := Held(here)
	for i := range here {
		if _, told := got[here[i].ID]; told != (i >= api.MaxHeldImages) {
			t.Errorf("image %d is told: %t", i, told)
		}
	}
}
