package docker

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
)

// A registry is asked about images that may have come from one, and only those:
// where none can be reached the question takes many seconds.
func TestResolveAsksTheRegistryWhereItMayKnow(t *testing.T) {
	pulled, pushed := "app@sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	built := "sha256:" + strings.Repeat("c", 64)
	for _, c := range []struct {
		name    string
		digests []string // of the host's image
		gone    bool     // the registry does not answer
		want    string
		asked   bool
	}{
		{"built here", nil, false, built, false},
		{"pulled, and pushed since", []string{pulled}, false, "app@" + pushed, true},
		{"pulled, no registry", []string{pulled}, true, pulled, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := false
			d := scriptedEngine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch path := r.URL.Path; {
				case strings.HasSuffix(path, "/_ping"):
					w.Header().Set("Api-Version", "1.41")
				case strings.Contains(path, "/distribution/"):
					asked = true
					if c.gone {
						http.Error(w, `{"message":"no route to host"}`, http.StatusInternalServerError)
						return
					}
					_ = json.NewEncoder(w).Encode(map[string]any{"Descriptor": map[string]string{"digest": pushed}})
				default:
					_ = json.NewEncoder(w).Encode(image.InspectResponse{ID: built, RepoDigests: c.digests})
				}
			}))
			got, err := d.Resolve(t.Context(), "app:1", nil)
			if got != c.want || err != nil || asked != c.asked {
				t.Errorf("Resolve = %s, %v, registry asked: %v; want %s, %v", got, err, asked, c.want, c.asked)
			}
		})
	}
}
