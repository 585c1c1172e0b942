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
	content, err := os.ReadFile("systemd/muster.service")
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
	for name, want := range map[string]string{
		"[Unit]StartLimitIntervalSec": "0",
		"[Service]ExecStart":          "muster agent",
		"[Service]Restart":            "always",
		"[Service]RestartSec":         "1",
		"[Service]KillMode":           "process",
		"[Service]Nice":               "-10",
		"[Service]CPUWeight":          "1000",
		"[Service]OOMScoreAdjust":     "-900",
		"[Service]LimitNOFILE":        "1048576",
		"[Service]StateDirectory":     "muster",
		"[Service]StateDirectoryMode": "0700",
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, name := range []string{"Requires", "BindsTo", "PartOf", "Requisite"} {
		if strings.Contains(got["[Unit]"+name], "docker") {
			t.Errorf("%s=%s ends the agent with the engine", name, got["[Unit]"+name])
		}
	}
}
