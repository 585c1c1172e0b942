package muster_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/musterhq/muster"

// pure marks packages that decide and do nothing: no clock, no chance, no
// network, no files, no goroutines. Time and ids are arguments.
const pure = true

// house lists every package with all that it may import of the others, from the
// ground up. Imports point up in this table only, so a row can be read without
// those below it. Shells (consensus, agent/gossip, controller, agent/worker,
// api/server, lb/proxy, runtime/docker) never import each other: each declares
// the small interface it needs, and agent introduces them.
var house = []room{
	// Nouns and decisions.
	{"cluster", pure, ""},
	{"cluster/state", pure, "cluster"},
	{"cluster/health", pure, "cluster cluster/state"},
	{"cluster/rollout", pure, "cluster cluster/state"},
	{"cluster/usage", pure, "cluster"},
	{"placement/packing", pure, "cluster"},
	{"placement/preempt", pure, "cluster"},
	{"placement/queue", pure, "cluster"},
	{"placement", pure, "cluster cluster/state placement/packing placement/preempt"},
	{"consensus/voters", pure, "cluster"},
	{"network", pure, "cluster"},
	{"lb", pure, "cluster network"},

	// What a user and another node say to an agent.
	{"compose", !pure, "cluster"},
	{"configs", !pure, "cluster network"},
	{"api", !pure, "cluster lb"},
	{"doctor", pure, "api cluster"},
	{"api/client", !pure, "api cluster configs"},
	{"crowd", !pure, ""},
	{"security", !pure, "crowd"},

	// The engine's port, its drivers and their common suite.
	{"runtime", !pure, "cluster"},
	{"runtime/docker", !pure, "cluster runtime"},
	{"runtime/fake", !pure, "cluster runtime"},
	{"runtime/runtimetest", !pure, "cluster runtime"},
	{"runtime/runtimetest/testprogram", !pure, ""},

	// Shells: they own connections, files and goroutines.
	{"consensus/boltcheck", !pure, ""},
	{"consensus", !pure, "cluster cluster/state consensus/boltcheck"},
	{"controller", !pure, "api cluster cluster/health cluster/rollout cluster/state cluster/usage consensus/voters placement placement/queue"},
	{"lb/proxy", !pure, "cluster lb"},
	{"network/overlay", !pure, "cluster network"},
	{"network/dns", !pure, "cluster network"},
	{"network/filter", !pure, "cluster network"},
	{"dataplane", !pure, "cluster lb lb/proxy network network/dns network/filter network/overlay"},
	{"api/server", !pure, "api cluster cluster/state crowd doctor lb runtime security"},
	{"agent/checkup", !pure, "api"},
	{"agent/gossip", !pure, "crowd"},
	{"agent/gossip/gossiptest", !pure, ""},
	{"agent/hoststats", !pure, ""},
	{"agent/hostroutes", !pure, ""},
	{"agent/images", !pure, "api cluster runtime"},
	{"agent/metrics", !pure, ""},
	{"agent/peer", !pure, "api cluster security"},
	{"agent/probe", !pure, "cluster runtime"},
	{"agent/worker", !pure, "api cluster runtime"},

	// The daemon introduces the shells to each other; the command line talks to
	// an agent and knows nothing of its insides.
	{"agent", !pure, "agent/checkup agent/gossip agent/hostroutes agent/hoststats agent/images agent/metrics agent/peer agent/probe agent/worker api api/server cluster cluster/health cluster/state " +
		"configs consensus consensus/voters controller crowd dataplane lb lb/proxy network network/overlay placement runtime runtime/docker security"},
	{"cli/buildctx", !pure, ""},
	{"cli/paint", pure, ""},
	{"cli/top", !pure, "api cli/paint cluster"},
	{"cli", !pure, "api api/client cli/buildctx cli/paint cli/top cluster compose configs doctor"},
	{"cmd/muster", !pure, "agent cli configs"},
	{"configs/examples/hello", !pure, ""},
	{"configs/examples/shop", !pure, ""},
}

type room struct {
	path string
	pure bool
	may  string // import these, separated by spaces
}

// fences name the only packages that may import what is hard to replace.
var fences = map[string]string{
	"github.com/hashicorp/raft":          "consensus",
	"github.com/hashicorp/raft-boltdb":   "consensus",
	"go.etcd.io/bbolt":                   "consensus",
	"github.com/hashicorp/memberlist":    "agent/gossip agent/gossip/gossiptest",
	"github.com/docker/docker":           "runtime/docker",
	"github.com/shirou/gopsutil":         "agent/hoststats",
	"github.com/compose-spec/compose-go": "compose",
	"github.com/spf13/cobra":             "cli",
	"charm.land":                         "cli/top",
	"github.com/charmbracelet":           "cli/top",
	"github.com/coder/websocket":         "api/client api/server",
	"github.com/hashicorp/go-hclog":      "consensus",
	"github.com/miekg/dns":               "network/dns",
	"github.com/pires/go-proxyproto":     "configs/examples/hello lb/proxy",
	"github.com/prometheus":              "agent/metrics",
	"github.com/vishvananda":             "agent/hostroutes network/filter network/overlay",
	"golang.zx2c4.com/wireguard":         "network/overlay",
	"github.com/anishathalye/porcupine":  "",
	"github.com/google/nftables":         "network/filter",
	"github.com/mdlayher/netlink":        "network/filter",
	"github.com/google/go-cmp":           "runtime/runtimetest",
	"pgregory.net/rapid":                 "",
	"github.com/rogpeppe/go-internal":    "",
	"testing":                            "runtime/runtimetest",
}

// impure is what a pure package has no use for. net/netip and time are values.
var impure = []string{
	"context", "crypto/rand", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os", "os/exec",
	"os/signal", "runtime", "sync", "sync/atomic", "syscall", "golang.org/x/sys/unix",
}

// TestImports holds the table. Packages under integration/ look at the whole and
// may import all of it; nothing imports them, nor cmd.
func TestImports(t *testing.T) {
	rooms := make(map[string]room)
	for _, r := range house {
		for dep := range strings.FieldsSeq(r.may) {
			if _, above := rooms[dep]; !above {
				t.Errorf("table: %s may import %s, which does not stand above it", r.path, dep)
			}
		}
		rooms[r.path] = r
	}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if name == module || strings.HasPrefix(name, "integration/") {
			continue
		}
		r, known := rooms[name]
		if !known {
			t.Errorf("%s is not in the table: say what it may import", name)
			continue
		}
		delete(rooms, name)
		for _, imported := range p.Imports {
			if why := r.refuses(imported); why != "" {
				t.Errorf("%s imports %s: %s", name, imported, why)
			}
		}
	}
	for path := range rooms {
		t.Errorf("table: there is no package %s", path)
	}
}

// refuses says why the room may not import that, "" if it may.
func (r room) refuses(imported string) string {
	if dep, ours := strings.CutPrefix(imported, module+"/"); ours {
		if !slices.Contains(strings.Fields(r.may), dep) {
			return "the table does not allow it"
		}
		return ""
	}
	for fenced, keepers := range fences {
		if (imported == fenced || strings.HasPrefix(imported, fenced+"/")) && !slices.Contains(strings.Fields(keepers), r.path) {
			return "it is fenced off, for " + keepers + " alone"
		}
	}
	if r.pure && slices.Contains(impure, imported) {
		return "the package is pure"
	}
	if r.path == "cluster" && strings.Contains(strings.Split(imported, "/")[0], ".") {
		return "the nouns need the standard library alone"
	}
	return ""
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Imports", "./...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []goPackage
	for decoder := json.NewDecoder(out); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("go list: %v", err)
	}
	return all
}
