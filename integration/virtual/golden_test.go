package virtual

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/consensus"
)

// A golden directory holds the data directories of one cluster as a release left
// them, host by host, and what must be found in them: every later binary has to
// open them.

var (
	golden = filepath.Join("testdata", "golden")
	keep   = flag.String("golden", "", "keep the data directories that this binary leaves as testdata/golden/NAME; when NAME is released")
)

// goldenWant is what a golden directory holds.
type goldenWant struct {
	Muster  string `json:"muster"`  // version that wrote it
	Hash    uint64 `json:"hash"`    // of the state
	Level   int    `json:"level"`   // of commands
	Running int    `json:"running"` // tasks of app/web
}

// goldenHosts is how many hosts such a cluster has: three voters and a worker.
const goldenHosts = 4

// TestEarlierReleasesOpen opens the data directories of every release so far:
// the log replays, the snapshot restores, to the same state; and the agents go
// on from there.
func TestEarlierReleasesOpen(t *testing.T) {
	releases, err := os.ReadDir(golden)
	if err != nil || len(releases) == 0 {
		t.Fatalf("there is no golden directory: %v", err)
	}
	for _, release := range releases {
		t.Run(release.Name(), func(t *testing.T) {
			bubble(t, 0, func(r *ring) { r.openGolden(filepath.Join(golden, release.Name())) })
		})
	}
}

// TestThisReleaseOpens makes what a release leaves behind, and opens it.
func TestThisReleaseOpens(t *testing.T) {
	dir := t.TempDir()
	if *keep != "" {
		dir = filepath.Join(golden, *keep)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	bubble(t, 0, func(r *ring) { r.makeGolden(dir) })
	bubble(t, 0, func(r *ring) { r.openGolden(dir) })
}

func (r *ring) openGolden(dir string) {
	r.pause(time.Hour) // the clock is not behind the one that wrote it
	raw, err := os.ReadFile(filepath.Join(dir, "want.json"))
	if err != nil {
		r.Fatal(err)
	}
	var want goldenWant
	if err := json.Unmarshal(raw, &want); err != nil {
		r.Fatal(err)
	}
	for i := 1; i <= goldenHosts; i++ {
		h := r.onDisk(i)
		unpack(r.T, filepath.Join(dir, h.name+".tar.gz"), h.dir)
	}
	voters := r.votersOnDisk()
	if len(voters) != 3 {
		r.Fatalf("%d hosts have a log, not 3", len(voters))
	}
	r.withLogs(voters, consensus.TuningFor(0), func(stores []*consensus.Store) {
		for i, s := range stores {
			r.until(10*time.Second, func() string {
				if v := s.View(); v.Hash() != want.Hash || v.Level() != want.Level {
					return fmt.Sprintf("%s: the state's hash is %d at level %d, not %d at %d", voters[i].name, v.Hash(), v.Level(), want.Hash, want.Level)
				}
				return ""
			})
		}
	})
	for _, h := range r.hosts {
		h.start()
	}
	r.until(time.Minute, all(r.ready(r.hosts...), r.voters(3), r.running(want.Running)))
	if err := r.well().scale(want.Running + 1); err != nil {
		r.Errorf("the cluster takes no change: %v", err)
	}
	r.until(30*time.Second, r.running(want.Running+1))
}

// makeGolden lets a cluster live for a while, with a snapshot taken in between,
// stops it and packs what it left.
func (r *ring) makeGolden(dir string) {
	for i := 1; i <= goldenHosts; i++ {
		r.onDisk(i).start()
	}
	r.form()
	r.run(service(6))
	r.liveAWhile()
	for _, h := range r.hosts {
		h.stop()
	}
	often := consensus.TuningFor(0)
	often.SnapshotInterval, often.SnapshotThreshold, often.TrailingLogs = time.Second, 1, 4
	voters := r.votersOnDisk()
	r.withLogs(voters, often, func([]*consensus.Store) {
		r.until(time.Minute, func() string {
			for _, h := range voters {
				if found, _ := filepath.Glob(filepath.Join(h.dir, "consensus", "snapshots", "*", "state.bin")); len(found) == 0 {
					return h.name + " has no snapshot"
				}
			}
			return ""
		})
	})
	for _, h := range r.hosts {
		h.start()
	}
	r.until(time.Minute, all(r.ready(r.hosts...), r.voters(3), r.running(6)))
	want := goldenWant{Muster: "devel", Running: 7}
	if *keep != "" {
		want.Muster = *keep
	}
	r.retry(30*time.Second, func() error { return r.well().scale(want.Running) })
	r.until(30*time.Second, r.running(want.Running))
	r.pause(5 * time.Second)
	for _, h := range r.hosts {
		h.stop()
	}
	r.withLogs(voters, consensus.TuningFor(0), func(stores []*consensus.Store) {
		v := stores[0].View()
		want.Hash, want.Level = v.Hash(), v.Level()
	})
	raw, err := json.Marshal(want)
	if err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "want.json"), append(raw, '\n'), 0o644); err != nil {
		r.Fatal(err)
	}
	for _, h := range r.hosts {
		pack(r.T, h.dir, filepath.Join(dir, h.name+".tar.gz"))
	}
}

// liveAWhile uses what there is to use, so that the log holds one of each.
func (r *ring) liveAWhile() {
	r.Helper()
	h := r.well()
	must := func(err error) {
		r.Helper()
		if err != nil {
			r.Fatal(err)
		}
	}
	rich := service(2)
	rich.Template.Container.Env = map[string]string{"A": "1", "B": "two"}
	rich.Template.Container.Labels = map[string]string{"team": "a"}
	rich.Template.Container.Command = []string{"serve", "-v"}
	rich.Template.Constraints = []string{"node.labels.nowhere==true"}
	for _, stack := range []string{"rich", "gone"} {
		_, err := send[api.Deployed](h, http.MethodPut, "/v1/stacks/"+stack, api.Deploy{
			Services: []api.NamedSpec{{Name: "svc", Spec: rich}}, Request: ulid.Make().String(),
		})
		must(err)
	}
	_, err := send[api.Deployed](h, http.MethodDelete, "/v1/stacks/gone?request="+ulid.Make().String(), nil)
	must(err)
	_, err = send[api.Deployed](h, http.MethodPost, "/v1/services/app/web/restart?request="+ulid.Make().String(), nil)
	must(err)
	_, err = send[api.NodeDetail](h, http.MethodPost, "/v1/nodes/n2/labels", api.SetLabels{Set: map[string]string{"zone": "b"}})
	must(err)
	_, err = send[struct{}](h, http.MethodPut, "/v1/registries/registry.example", api.RegistryLogin{Username: "u", Password: "p"})
	must(err)
	h.availability(r.host(3), cluster.Cordoned)
	h.newToken(api.CreateToken{TTL: "1h", Uses: 2})
	used := h.newToken(api.CreateToken{TTL: "1h", Uses: 1})
	_, err = send[struct{}](h, http.MethodDelete, "/v1/tokens/"+used.ID, nil)
	must(err)
	r.until(time.Minute, r.running(6))
	h.availability(r.host(3), cluster.Active)
}

// onDisk adds a host that keeps its log in its data directory.
func (r *ring) onDisk(i int) *host {
	h := r.add(i)
	h.log = nil
	return h
}

// votersOnDisk are the hosts that have a log.
func (r *ring) votersOnDisk() []*host {
	var out []*host
	for _, h := range r.hosts {
		if _, err := os.Stat(filepath.Join(h.dir, "consensus", "raft.db")); err == nil {
			out = append(out, h)
		}
	}
	return out
}

// withLogs opens the logs of hosts whose agents are stopped, has them elect a
// leader and apply everything, and closes them again.
func (r *ring) withLogs(hosts []*host, tuning consensus.Tuning, look func(stores []*consensus.Store)) {
	r.Helper()
	address := map[cluster.NodeID]string{}
	ids := make([]cluster.NodeID, len(hosts))
	for i, h := range hosts {
		raw, err := os.ReadFile(filepath.Join(h.dir, "node-id"))
		if err != nil {
			r.Fatal(err)
		}
		ids[i] = cluster.NodeID(strings.TrimSpace(string(raw)))
		address[ids[i]] = net.JoinHostPort(h.ip, "7070")
	}
	stores := make([]*consensus.Store, len(hosts))
	for i, h := range hosts {
		process := h.box.Process()
		defer process.Kill()
		l, err := process.Listen("tcp", ":7070")
		if err != nil {
			r.Fatal(err)
		}
		stores[i], err = consensus.Open(consensus.Config{
			NodeID: ids[i], DataDir: filepath.Join(h.dir, "consensus"), Listener: l, Tuning: tuning, Logger: r.logger(h.name),
			Dial: func(ctx context.Context, _ cluster.NodeID, addr string, limit time.Duration) (net.Conn, error) {
				ctx, cancel := context.WithTimeout(ctx, limit)
				defer cancel()
				return process.Dial(ctx, "tcp", addr)
			},
			Addr: func(id cluster.NodeID) (string, bool) { at, ok := address[id]; return at, ok },
		})
		if err != nil {
			r.Fatalf("open the log of %s: %v", h.name, err)
		}
	}
	r.until(time.Minute, func() string { return applied(r.Context(), stores) })
	look(stores)
	for _, s := range stores {
		if err := s.Close(); err != nil {
			r.Error(err)
		}
	}
}

// applied says what keeps one of the stores from having applied all that is
// committed.
func applied(ctx context.Context, stores []*consensus.Store) string {
	for _, leader := range stores {
		if _, me := leader.Leader(); !me || leader.Barrier(ctx) != nil {
			continue
		}
		for i, s := range stores {
			if got, want := s.View().Index(), leader.View().Index(); got != want {
				return fmt.Sprintf("store %d is at %d, the leader at %d", i, got, want)
			}
		}
		return ""
	}
	return "nobody leads"
}
