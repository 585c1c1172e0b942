package docker

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/musterhq/muster/runtime"
)

// scriptedEngine serves the engine's API from a handler and returns a driver
// of it.
func scriptedEngine(t *testing.T, h http.Handler) *Driver {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "engine.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.Listener.Close()
	server.Listener = l
	server.Start()
	d, err := New(Config{Host: "unix://" + socket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.Close()
		server.Close()
	})
	return d
}

func TestFollowsTheEngineToAnotherVersion(t *testing.T) {
	var api atomic.Value
	var asked atomic.Value
	api.Store("1.41")
	d := scriptedEngine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			w.Header().Set("Api-Version", api.Load().(string))
			return
		}
		asked.Store(strings.Split(r.URL.Path, "/")[1])
		_, _ = w.Write([]byte("[]"))
	}))
	for _, version := range []string{"1.41", "1.44", "1.41"} {
		api.Store(version)
		if err := d.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := d.List(t.Context(), "c1"); err != nil {
			t.Fatal(err)
		}
		if got := asked.Load(); got != "v"+version {
			t.Errorf("asked in %v, want v%s", got, version)
		}
	}
}

// One wedged container blocks whoever asks about it. The others are listed all
// the same, and what was known of it stays.
func TestWedgedContainerHidesNoOther(t *testing.T) {
	t.Parallel()
	d := scriptedEngine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasSuffix(path, "/_ping"):
			w.Header().Set("Api-Version", "1.41")
		case strings.HasSuffix(path, "/containers/json"):
			labels := map[string]string{runtime.LabelCluster: "c1"}
			_ = json.NewEncoder(w).Encode([]container.Summary{
				{ID: "wedged", State: "running", Status: "Up 2 hours (healthy)", Labels: labels},
				{ID: "fine", State: "running", Status: "Up 2 hours", Labels: labels},
			})
		case strings.Contains(path, "/wedged/"):
			<-r.Context().Done()
		default:
			_ = json.NewEncoder(w).Encode(container.InspectResponse{ContainerJSONBase: &container.ContainerJSONBase{
				ID: "fine", State: &container.State{Status: "running"},
			}})
		}
	}))
	all, err := d.List(t.Context(), "c1")
	if err != nil || len(all) != 2 {
		t.Fatalf("List = %+v, %v, want both containers", all, err)
	}
	if c := all[0]; c.ID != "wedged" || c.Status != runtime.StatusRunning || c.Health != "healthy" {
		t.Errorf("the wedged one: %+v", c)
	}
}
