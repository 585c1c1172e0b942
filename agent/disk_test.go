package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiskProblems(t *testing.T) {
	m := &member{a: &Agent{name: "n1", data: &dataDir{path: "/data"}}}
	for _, c := range []struct {
		name       string
		free, size int64
		resting    bool
		want       []string
	}{
		{"not known", 0, 0, false, nil},
		{"room", 300 << 20, 100 << 30, false, nil},
		{"little", 200 << 20, 100 << 30, false, []string{"node n1: the disk under /data is nearly full (200 MiB of 100 GiB free): make room"}},
		{"a small disk", 20 << 20, 100 << 20, false, nil},
		{"little of a small disk", 9 << 20, 100 << 20, false, []string{"node n1: the disk under /data is nearly full (9 MiB of 100 MiB free): make room"}},
		{"none", 0, 100 << 20, true, []string{"node n1: the disk under /data is full (0 B free): its vote rests until there is room"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m.disk.free, m.disk.size, m.disk.resting = c.free, c.size, c.resting
			if diff := cmp.Diff(c.want, m.diskProblems()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
