package doctor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
)

func ptr[T any](v T) *T { return &v }

// well is a host with which nothing is wrong.
func well() api.HostFacts {
	return api.HostFacts{
		Name: "n1", Kernel: "6.1", DataDir: "/var/lib/muster", Address: "10.0.0.1",
		Features:  map[string]bool{"overlay": true, "nf_tables": true, "vxlan": true, "tun": true, "wireguard": true},
		Settings:  map[string]string{"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"},
		OpenFiles: 1 << 20, Fsync: 2 * time.Millisecond, DiskFree: 50 << 30, DiskSize: 100 << 30,
		MemoryTotal: 8 << 30, MemoryFree: 4 << 30, SwapTotal: 1 << 30, SwapFree: 1 << 30,
		ClockSynced: ptr(true), Systemd: true, UnitFile: "/etc/systemd/system/muster.service", KillMode: "process",
		InterfaceMTU: 1500,
		Engine: &api.EngineFacts{
			Version: "28.5.2", APIVersion: "1.51", StorageDriver: "overlay2", CgroupDriver: "systemd", CgroupVersion: "2",
			LogDriver: "json-file", LiveRestore: true,
		},
	}
}

// notOK are the findings that are not ok, as "name status".
func notOK(found []api.Finding) []string {
	out := []string{}
	for _, f := range found {
		if f.Status != api.CheckOK {
			out = append(out, f.Name+" "+f.Status)
		}
	}
	return out
}

func TestHost(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*api.HostFacts)
		want   []string
	}{
		"well":                     {func(*api.HostFacts) {}, []string{}},
		"a slow disk":              {func(f *api.HostFacts) { f.Fsync = 60 * time.Millisecond }, []string{"disk-latency warn"}},
		"a very slow disk":         {func(f *api.HostFacts) { f.Fsync = 200 * time.Millisecond }, []string{"disk-latency fail"}},
		"a disk that cannot":       {func(f *api.HostFacts) { f.FsyncError = "read-only file system" }, []string{"disk-latency fail"}},
		"a disk nearly full":       {func(f *api.HostFacts) { f.DiskFree = 200 << 20 }, []string{"disk-room warn"}},
		"a full disk":              {func(f *api.HostFacts) { f.DiskFree = 1 << 20 }, []string{"disk-room fail"}},
		"a small disk, half full":  {func(f *api.HostFacts) { f.DiskFree, f.DiskSize = 100<<20, 200<<20 }, []string{}},
		"no memory":                {func(f *api.HostFacts) { f.MemoryFree = 100 << 20 }, []string{"memory warn"}},
		"much swapped":             {func(f *api.HostFacts) { f.SwapFree = 1 << 20 }, []string{"memory warn"}},
		"no swap":                  {func(f *api.HostFacts) { f.SwapTotal, f.SwapFree = 0, 0 }, []string{}},
		"a free clock":             {func(f *api.HostFacts) { f.ClockSynced = ptr(false) }, []string{"time-sync warn"}},
		"few files":                {func(f *api.HostFacts) { f.OpenFiles = 8192 }, []string{"open-files warn"}},
		"too few files":            {func(f *api.HostFacts) { f.OpenFiles = 1024 }, []string{"open-files fail"}},
		"no unit":                  {func(f *api.HostFacts) { f.UnitFile, f.KillMode = "", "" }, []string{"unit warn"}},
		"no systemd":               {func(f *api.HostFacts) { f.Systemd = false }, []string{"unit warn"}},
		"a unit that kills":        {func(f *api.HostFacts) { f.KillMode = "" }, []string{"unit fail"}},
		"no nft module":            {func(f *api.HostFacts) { f.Features["nf_tables"] = false }, []string{"nftables warn"}},
		"no overlayfs":             {func(f *api.HostFacts) { f.Features["overlay"] = false }, []string{"overlayfs warn"}},
		"no wireguard is no fault": {func(f *api.HostFacts) { f.Features["wireguard"] = false }, []string{}},
		"features nobody knows":    {func(f *api.HostFacts) { f.Features = nil }, []string{}},
		"no forwarding":            {func(f *api.HostFacts) { f.Settings["net/ipv4/ip_forward"] = "0" }, []string{"ip-forward fail"}},
		"bridges pass by":          {func(f *api.HostFacts) { f.Settings["net/bridge/bridge-nf-call-iptables"] = "0" }, []string{"bridge-netfilter warn"}},
		"no br_netfilter":          {func(f *api.HostFacts) { f.Settings["net/bridge/bridge-nf-call-iptables"] = "" }, []string{"bridge-netfilter warn"}},
		"small packets":            {func(f *api.HostFacts) { f.InterfaceMTU = 576 }, []string{"interface-mtu fail"}},
		"a port taken":             {func(f *api.HostFacts) { f.PortsTaken = []int{7070} }, []string{"ports-free fail"}},
		"no engine":                {func(f *api.HostFacts) { f.EngineError = "does not answer" }, []string{"engine fail"}},
		"an old engine":            {func(f *api.HostFacts) { f.Engine.Version, f.Engine.APIVersion = "19.03.15", "1.40" }, []string{"engine fail", "engine-api fail"}},
		"the oldest engine":        {func(f *api.HostFacts) { f.Engine.Version, f.Engine.APIVersion = "20.10.24+dfsg1", "1.41" }, []string{}},
		"a slow driver":            {func(f *api.HostFacts) { f.Engine.StorageDriver = "vfs" }, []string{"storage-driver warn"}},
		"logs elsewhere":           {func(f *api.HostFacts) { f.Engine.LogDriver = "syslog" }, []string{"log-driver warn"}},
		"no live restore":          {func(f *api.HostFacts) { f.Engine.LiveRestore = false }, []string{"live-restore warn"}},
		"the engine warns":         {func(f *api.HostFacts) { f.Engine.Warnings = []string{"No swap limit support"} }, []string{"engine-warnings warn"}},
		"nothing seen at all":      {func(f *api.HostFacts) { *f = api.HostFacts{Name: "n1"} }, []string{"unit warn"}},
	} {
		f := well()
		c.change(&f)
		found := Host(f)
		if d := cmp.Diff(c.want, notOK(found)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		for _, x := range found {
			if x.Node != "n1" || x.Found == "" || (x.Status == api.CheckOK) != (x.Advice == "") {
				t.Errorf("%s: a finding without its node, what was found, or what to do: %+v", name, x)
			}
		}
	}
}

// way is one on which nothing is wrong.
func way(to string) api.Way {
	return api.Way{
		ToName: to, Address: "10.0.0.9", APIPort: 7070, GossipPort: 7071, SamplePort: 40000,
		API: "ok", GossipTCP: "ok", GossipUDP: "ok", Sample: "ok", Large: "ok", PathMTU: 1500, RTT: time.Millisecond, Skew: ptr(time.Duration(0)),
	}
}

func TestWays(t *testing.T) {
	const silent = "no answer"
	for name, c := range map[string]struct {
		change func(*api.Way)
		want   []string
	}{
		"well":                             {func(*api.Way) {}, []string{}},
		"no API":                           {func(w *api.Way) { w.API, w.Skew, w.Large = silent, nil, "" }, []string{"api fail"}},
		"no gossip over TCP":               {func(w *api.Way) { w.GossipTCP = silent }, []string{"gossip-tcp fail"}},
		"no gossip over UDP":               {func(w *api.Way) { w.GossipUDP = silent }, []string{"gossip-udp fail"}},
		"no containers":                    {func(w *api.Way) { w.Sample = silent }, []string{"published-ports fail"}},
		"nothing tried":                    {func(w *api.Way) { *w = api.Way{ToName: "n3"} }, []string{}},
		"large packets are lost":           {func(w *api.Way) { w.Large = silent }, []string{"path-mtu fail"}},
		"a narrow tunnel":                  {func(w *api.Way) { w.PathMTU = 1000 }, []string{"path-mtu fail"}},
		"a little apart":                   {func(w *api.Way) { w.Skew = ptr(-600 * time.Millisecond) }, []string{"clock warn"}},
		"far apart":                        {func(w *api.Way) { w.Skew = ptr(time.Minute) }, []string{"clock fail"}},
		"apart or just far away":           {func(w *api.Way) { w.RTT, w.Skew = 2*time.Second, ptr(1200*time.Millisecond) }, []string{}},
		"a clock that shows whole seconds": {func(w *api.Way) { w.Grain, w.Skew = time.Second, ptr(-900*time.Millisecond) }, []string{}},
	} {
		bad := way("n3")
		c.change(&bad)
		found := Ways("n1", "10.0.0.1", []api.Way{way("n2"), bad})
		if d := cmp.Diff(c.want, notOK(found)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// TestAdviceNamesTheCommand for the host where it is to be typed.
func TestAdviceNamesTheCommand(t *testing.T) {
	w := way("n3")
	w.GossipUDP, w.Sample = "no answer", "no answer"
	got := map[string]string{}
	for _, f := range Ways("n1", "10.0.0.1", []api.Way{w}) {
		got[f.Name] = f.Advice
	}
	for name, want := range map[string]string{
		"gossip-udp":      "on n3: sudo iptables -I INPUT -p udp -s 10.0.0.1 --dport 7071 -j ACCEPT",
		"published-ports": "on n3: sudo iptables -I INPUT -p tcp -s 10.0.0.1 --dport 32768:60999 -j ACCEPT",
	} {
		if !strings.HasPrefix(got[name], want) {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
}

// TestNeighbours: every node is tried by as many as it tries.
func TestNeighbours(t *testing.T) {
	for _, n := range []int{1, 2, 3, 17, 18, 200} {
		tried := make([]int, n)
		for i := range n {
			others := Neighbours(n, i)
			if slices.Contains(others, i) || len(others) != min(n-1, waysTried) {
				t.Fatalf("%d of %d tries %v", i, n, others)
			}
			for _, j := range others {
				tried[j]++
			}
		}
		if low, high := slices.Min(tried), slices.Max(tried); low != high {
			t.Errorf("of %d nodes some are tried %d times, some %d", n, low, high)
		}
	}
}

func TestOlder(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"19.03", "20.10", true}, {"20.10.24", "20.10", false}, {"1.5", "1.41", true}, {"28", "20.10", false}, {"dev", "20.10", false}, {"20.9-rc1", "20.10", true}} {
		if got := older(c.a, c.b); got != c.want {
			t.Errorf("%s older than %s: %v", c.a, c.b, got)
		}
	}
}
