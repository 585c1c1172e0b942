//go:build linux

package rollouts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// besideBusyHosts has tasks of which none shall be on the host whose memory is in
// use, nor those of calm on one whose CPUs are.
const besideBusyHosts = `name: beside
services:
  memory:
    image: ` + lab.Hello + `
    stop_grace_period: 1s
    deploy: {replicas: 4, resources: {reservations: {memory: 400M}}}
  one:
    image: ` + lab.Hello + `
    stop_grace_period: 1s
  another:
    image: ` + lab.Hello + `
    stop_grace_period: 1s
  calm:
    image: ` + lab.Hello + `
    stop_grace_period: 1s
    deploy: {replicas: 3}
    x-muster: {policy: realtime}
`

// wholeHost reserves what no host has left: each uses some for itself.
const wholeHost = `name: whole
services:
  it:
    image: ` + lab.Hello + `
    deploy: {resources: {reservations: {memory: 2G}}}
`

const inUse = "memory that it reserves is in use by what is no task"

// TestBusyHostsAreAvoided makes one host's memory full and another's CPUs busy by
// processes that are not Muster's, and deploys: new tasks avoid these hosts, and
// why says so.
//
// What is real: the processes hold that memory and burn that time, the kernel
// counts both for the control group of their host, and its agent reads that
// as it reads a machine's (HOST_PROC; see lab). What is not: that the host has 2 GiB is a
// word, and its two CPUs are those that all hosts share.
func TestBusyHostsAreAvoided(t *testing.T) {
	c := cluster(t)
	calm := c.FindLeader()
	full, hot := c.Others(calm)[0], c.Others(calm)[1]
	stopHog, err := full.Hog(t.Context(), hostMemory*9/10)
	c.Must(err)
	defer stopHog()
	stopBusy, err := hot.Busy(t.Context(), 2*hostCPUs)
	c.Must(err)
	defer stopBusy()
	t.Cleanup(func() { forget(c, calm) })

	file := c.File("compose.yaml", besideBusyHosts)
	c.Within(90*time.Second, "the leader to know of the load", func(ctx context.Context) error {
		told, err := ask[api.Simulation](ctx, calm, "simulate", "--deploy", file)
		if err != nil {
			return err
		}
		on := map[string]string{}
		for _, change := range told.Changes {
			on[change.Service+" "+change.To] = change.Kind
		}
		return avoided(on, full, hot)
	})
	whole := see[api.Simulation](c, hot, "simulate", "--deploy", c.File("whole.yaml", wholeHost))
	if len(whole.Pending) != 1 || whole.Pending[0].Reason != "3 nodes: "+inUse {
		t.Errorf("a task that reserves all of a host waits: %+v", whole.Pending)
	}
	c.Run(hot, "deploy", "-f", file)
	on := map[string]string{}
	for _, task := range c.Tasks("") {
		on[task.Service+" "+task.Node] = task.State
	}
	c.Must(avoided(on, full, hot))

	why := see[api.Why](c, hot, "why", "beside/memory.1")
	if !slices.ContainsFunc(why.Now.Refused, func(r api.RefusedNodes) bool { return r.Reason == inUse && slices.Equal(r.Nodes, []string{full.Name}) }) {
		t.Errorf("refused: %+v, want %s on %s", why.Now.Refused, inUse, full.Name)
	}
	says(c, c.Run(hot, "why", "beside/memory.1"), "not "+full.Name+": "+inUse)
	why = see[api.Why](c, hot, "why", "beside/one.1")
	if last := why.Now.Candidates[len(why.Now.Candidates)-1]; last.Node != full.Name || last.LostBy != "cost" {
		t.Errorf("last is %s, by %s: %s; want %s, which is full", last.Node, last.LostBy, last.Lost, full.Name)
	}
}

// avoided says which busy host has tasks that it should not have; on has a key
// "SERVICE NODE" for each that there is.
func avoided(on map[string]string, full, hot *lab.Host) error {
	if len(on) == 0 {
		return errors.New("there are no tasks")
	}
	for _, service := range []string{"beside/memory", "beside/one", "beside/another", "beside/calm"} {
		if state, ok := on[service+" "+full.Name]; ok {
			return fmt.Errorf("%s has a task (%s) on %s, the memory of which is full", service, state, full.Name)
		}
	}
	if state, ok := on["beside/calm "+hot.Name]; ok {
		return fmt.Errorf("beside/calm has a task (%s) on %s, the CPUs of which are busy", state, hot.Name)
	}
	return nil
}

// forget has another leader begin, which knows nothing of past load.
func forget(c *fleettest.Cluster, leader *lab.Host) {
	ctx := context.WithoutCancel(c.T.Context())
	c.Must(leader.StopAgent(ctx))
	c.Must(c.StartAgents(ctx, leader))
	c.Must(c.AwaitReady(ctx, c.Hosts...))
}
