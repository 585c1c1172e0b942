//go:build linux

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/top"
	"github.com/musterhq/muster/integration/fleet/fleettest"
)

// TestDoctorFindsABlockedPort drops one host's gossip at another's door: the
// doctor names the two, the port and what to type at the door, and nothing else.
// The way back fails as well, since answers come through the same door.
func TestDoctorFindsABlockedPort(t *testing.T) {
	c := cluster(t)
	from, to := c.Hosts[0], c.Hosts[1]
	c.Must(to.DropPort(t.Context(), from, "udp", 7071))
	c.Refused(c.Hosts[2], 1, []string{
		"gossip-udp", "no way to " + to.Name, to.Addr + ":7071/udp",
		fmt.Sprintf("on %s: sudo iptables -I INPUT -p udp -s %s --dport 7071 -j ACCEPT", to.Name, from.Addr),
	}, "doctor")
	r := c.Hosts[2].CLI(t.Context(), "doctor", "-o", "json")
	var found []api.Finding
	c.Must(json.Unmarshal([]byte(r.Stdout), &found))
	for _, f := range found {
		if f.Status == api.CheckFail && (f.Name != "gossip-udp" || f.Node != from.Name && f.Node != to.Name) {
			t.Errorf("%s fails on %s: %s", f.Name, f.Node, f.Found)
		}
	}
	c.Must(to.Heal(t.Context()))
	c.Run(c.Hosts[2], "doctor")
}

// TestTopMeasures looks at a service that is kept busy beside one that is not.
func TestTopMeasures(t *testing.T) {
	c := cluster(t)
	c.DeployWeb(3)
	c.Run(c.Hosts[1], "deploy", "-f", c.File("compose.yaml", beside))
	for range 4 {
		c.Requests(c.Hosts...)
	}
	c.Within(fleettest.Soon, "what the busy tasks use", func(context.Context) error {
		var s top.Snapshot
		if err := json.Unmarshal([]byte(c.Run(c.Hosts[2], "top", "-o", "json")), &s); err != nil {
			return err
		}
		cpu, tasks := make(map[string]float64), make(map[string]int)
		for _, task := range s.Tasks {
			if task.CPUUsed == nil || task.MemoryUsed == nil {
				return fmt.Errorf("%s on %s is not measured", task.Service, task.Node)
			}
			if *task.MemoryUsed < 256<<10 || *task.MemoryUsed > 1<<30 {
				t.Errorf("%s on %s uses %d bytes", task.Service, task.Node, *task.MemoryUsed)
			}
			cpu[task.Service] += *task.CPUUsed
			tasks[task.Service]++
		}
		if busy, quiet := cpu[fleettest.Web], cpu["beside/it"]; tasks[fleettest.Web] != 3 || tasks["beside/it"] != 3 || busy < 2*quiet || busy == 0 {
			return fmt.Errorf("%v tasks use %v", tasks, cpu)
		}
		t.Logf("CPU in use: %v", cpu)
		return nil
	})
}
