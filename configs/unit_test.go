package configs

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// An agent that leaves, as on a hung disk, counts on its unit: it is started
// again whatever it exited with and however often, and its containers run on.
func TestUnitStartsTheAgentAgain(t *testing.T) {
	unit, err := os.ReadFile("systemd/muster.service")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(unit), "\n")
	for section, want := range map[string][]string{
		"[Unit]":    {"StartLimitIntervalSec=0"},
		"[Service]": {"Restart=always", "RestartSec=1", "KillMode=process"},
	} {
		begin := slices.Index(lines, section)
		if begin < 0 {
			t.Fatalf("there is no %s", section)
		}
		rest := lines[begin+1:]
		if end := slices.IndexFunc(rest, func(l string) bool { return strings.HasPrefix(l, "[") }); end >= 0 {
			rest = rest[:end]
		}
		for _, w := range want {
			if !slices.Contains(rest, w) {
				t.Errorf("%s does not say %s", section, w)
			}
		}
	}
}
