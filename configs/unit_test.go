package configs

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestUnit holds the systemd unit to what the agent relies on: that containers
// outlive it, that it is started again for ever, that heartbeats go out on a busy
// host and when memory runs out, and that published ports have files to open.
func TestUnit(t *testing.T) {
	got := unit(t, "muster.service")
	hold(t, got, map[string]string{
		"[Service]ExecStart":   "muster agent",
		"[Service]KillMode":    "process",
		"[Service]Environment": "MUSTER_DATAPLANE=external",
		"[Unit]Wants":          "network-online.target muster-dataplane.service",
	})
	for _, name := range []string{"Requires", "BindsTo", "PartOf", "Requisite"} {
		if strings.Contains(got["[Unit]"+name], "docker") {
			t.Errorf("%s=%s ends the agent with the engine", name, got["[Unit]"+name])
		}
	}
}

// TestDataPlaneUnit: it lives and dies apart from the agent, and a reload replaces
// it while it serves.
func TestDataPlaneUnit(t *testing.T) {
	got := unit(t, "muster-dataplane.service")
	hold(t, got, map[string]string{
		"[Service]ExecStart":    "muster dataplane",
		"[Service]ExecReload":   "kill -HUP $MAINPID",
		"[Service]Type":         "notify",
		"[Service]NotifyAccess": "all",
	})
	for _, name := range []string{"Requires", "BindsTo", "PartOf", "Requisite"} {
		if got["[Unit]"+name] != "" {
			t.Errorf("%s=%s: it ends with something else", name, got["[Unit]"+name])
		}
	}
}

// unit reads a systemd unit: its values by section and name.
func unit(t *testing.T, name string) map[string]string {
	t.Helper()
	content, err := os.ReadFile("systemd/" + name)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	section := ""
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		}
		if name, value, found := strings.Cut(line, "="); found && !strings.HasPrefix(line, "#") {
			got[section+name] = value
		}
	}
	return got
}

// hold compares a unit with what is wanted of it, and of both units.
func hold(t *testing.T, got, want map[string]string) {
	t.Helper()
	both := map[string]string{
		"[Unit]StartLimitIntervalSec": "0",
		"[Service]Restart":            "always",
		"[Service]RestartSec":         "1",
		"[Service]Nice":               "-10",
		"[Service]CPUWeight":          "1000",
		"[Service]OOMScoreAdjust":     "-900",
		"[Service]LimitNOFILE":        "1048576",
		"[Service]StateDirectory":     "muster",
		"[Service]StateDirectoryMode": "0700",
	}
	for _, values := range []map[string]string{both, want} {
		for name, want := range values {
			if diff := cmp.Diff(want, got[name]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}
