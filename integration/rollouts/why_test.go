//go:build linux

package rollouts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
	"github.com/musterhq/muster/integration/lab"
)

// waiting is a stack in which a task of each service waits for something else.
// Its filler has all CPUs of n2.
const waiting = `name: app
services:
  filler:
    image: ` + lab.Hello + `
    stop_grace_period: 1s
    deploy: {replicas: 2, resources: {reservations: {cpus: "1"}}, placement: {constraints: [node.name==n2]}}
  cordoned:
    image: ` + lab.Hello + `
    stop_grace_period: 1s
    deploy: {replicas: 1, placement: {constraints: [node.name==n3]}}
  room:
    image: ` + lab.Hello + `
    stop_grace_period: 1s
    deploy: {replicas: 1, resources: {reservations: {cpus: "0.5"}}, placement: {constraints: [node.name==n2]}}
  tainted:
    image: ` + lab.Hello + `
    stop_grace_period: 1s
    deploy: {replicas: 1, placement: {constraints: [node.name==n1]}}
  many:
    image: ` + lab.Hello + `
    stop_grace_period: 1s
    deploy: {replicas: 2, placement: {constraints: [node.name==n2], max_replicas_per_node: MAX}}
  label:
    image: ` + lab.Hello + `
    stop_grace_period: 1s
    deploy: {replicas: 1, placement: {constraints: [node.labels.disk==ssd]}}
`

// TestProposalsHelp has tasks wait, each for another reason, makes the change that
// why proposes first, and sees them run.
func TestProposalsHelp(t *testing.T) {
	c := cluster(t)
	here := c.Hosts[0]
	file := func(most string) string { return c.File("compose.yaml", strings.Replace(waiting, "MAX", most, 1)) }
	c.Run(here, "node", "cordon", "n3")
	c.Run(here, "node", "label", "n1", "muster.taint.gpu=yes")
	t.Cleanup(func() {
		_, err := fleet.Run(context.WithoutCancel(t.Context()), here, "node", "label", "n1", "muster.taint.gpu-", "disk-")
		c.Must(err)
	})
	c.Run(here, "deploy", "-d", "-f", file("1"))
	for _, step := range []struct {
		task     string
		proposal string
		change   []string
	}{
		{"app/cordoned.1", "uncordon n3", []string{"node", "uncordon", "n3"}},
		{"app/room.1", "0.5 CPU more on n2", []string{"scale", "-d", "app/filler=1"}},
		{"app/tainted.1", "tolerate the taint gpu=yes, or remove it from n1", []string{"node", "label", "n1", "muster.taint.gpu-"}},
		{"app/many.2", "a max_replicas_per_node of 2", []string{"deploy", "-d", "-f", file("2")}},
		{"app/label.1", "the service without the constraint node.labels.disk==ssd", []string{"node", "label", "n1", "disk=ssd"}},
	} {
		state(c, step.task, "pending")
		why := see[api.Why](c, c.Hosts[1], "why", step.task)
		if why.Now == nil || len(why.Now.Proposals) == 0 || !strings.HasPrefix(why.Now.Proposals[0].Text, step.proposal) {
			t.Errorf("%s would fit with %+v, want %s", step.task, why.Now, step.proposal)
		}
		c.Run(c.Hosts[1], step.change...)
		state(c, step.task, "running")
	}
}

// state waits until a task is in a state; when it waits, until it says why.
func state(c *fleettest.Cluster, name, want string) {
	c.T.Helper()
	service, slot, _ := strings.Cut(name, ".")
	c.Within(fleettest.Soon, name+" to be "+want, func(ctx context.Context) error {
		tasks, err := fleet.Tasks(ctx, c.Hosts[0], service)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(tasks, func(t api.Task) bool {
			return fmt.Sprint(t.Slot) == slot && t.State == want && (want != "pending" || t.Reason != "")
		}) {
			return fmt.Errorf("%s", fleettest.States(tasks))
		}
		return nil
	})
}
