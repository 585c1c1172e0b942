//go:build linux

package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/integration/lab"
)

const (
	users  = 3
	stacks = 3
	// maxReplicas of all stacks fit on three of five hosts.
	maxReplicas = 5
	firstPort   = 8100
)

// startUsers lets users work on stacks until ctx ends. The one that is returned
// is over when their last calls are.
func (r *Run) startUsers(ctx context.Context, seed uint64) *sync.WaitGroup {
	var wg sync.WaitGroup
	for i := range users {
		u := &user{Run: r, number: i, rand: rand.New(rand.NewPCG(seed, uint64(10+i)))}
		wg.Go(func() {
			for sleep(ctx, time.Duration(100+u.rand.IntN(700))*time.Millisecond) {
				u.act(context.WithoutCancel(ctx))
			}
		})
	}
	return &wg
}

type user struct {
	*Run
	number int
	rand   *rand.Rand
}

func stackName(i int) string { return fmt.Sprintf("s%d", i) }

// act makes one call through some host and notes what the answer was.
func (u *user) act(ctx context.Context) {
	n := u.rand.IntN(stacks)
	in := input{stack: stackName(n)}
	through := pick(u.rand, u.Fleet.Hosts)
	kind, replicas, version := u.rand.IntN(20), 1+u.rand.IntN(maxReplicas), fmt.Sprintf("%d-%x", u.number, u.rand.Uint32())
	var do func(context.Context, *client.Client) error
	out := output{}
	stale := false
	switch {
	case kind < 2:
		in.verb, in.version, in.replicas = deploy, version, replicas
		do = func(ctx context.Context, c *client.Client) error {
			_, err := c.Deploy(ctx, in.stack, []api.NamedSpec{{Name: "web", Spec: spec(n, version, replicas)}})
			return err
		}
	case kind < 5:
		in.verb, in.replicas = scale, replicas
		do = func(ctx context.Context, c *client.Client) error {
			_, err := c.Scale(ctx, in.stack, "web", replicas)
			return err
		}
	case kind < 6:
		in.verb = remove
		do = func(ctx context.Context, c *client.Client) error { _, err := c.RemoveStack(ctx, in.stack); return err }
	case kind < 7:
		u.restart(ctx, through, in.stack)
		return
	default:
		in.verb = look
		do = func(ctx context.Context, c *client.Client) (err error) {
			out.seen, err = see(ctx, c, in.stack)
			stale = c.Stale()
			return err
		}
	}
	if through.AgentPID() == 0 {
		return // nobody to ask
	}
	called := time.Now()
	err := u.call(ctx, through, do)
	if stale || in.verb == look && err != nil {
		return // nothing was promised
	}
	switch client.Code(err) {
	case "":
		out.unknown = err != nil
	case api.CodeNotFound:
		out.absent = true
	case api.CodeInvalid, api.CodeConflict, api.CodeTooLarge, api.CodeForbidden, api.CodeNotMember:
		return // refused: nothing was done
	default:
		out.unknown = true
	}
	if out.unknown {
		u.mu.Lock()
		u.report.Unknown++
		u.mu.Unlock()
	}
	u.history.add(u.number, called, in, out)
}

// restart makes a new generation of the same: whatever becomes of it, nobody can
// tell by the register.
func (u *user) restart(ctx context.Context, through *lab.Host, stack string) {
	_ = u.call(ctx, through, func(ctx context.Context, c *client.Client) error {
		_, err := c.Restart(ctx, stack, "web")
		return err
	})
}

// see is what the cluster says of a stack.
func see(ctx context.Context, c *client.Client, name string) (stack, error) {
	s, err := c.Service(ctx, name, "web")
	switch {
	case client.Code(err) == api.CodeNotFound || err == nil && s.Removing:
		return stack{}, nil
	case err != nil:
		return stack{}, err
	}
	return stack{exists: true, version: s.Spec.Template.Container.Env["CHAOS"], replicas: s.Spec.Replicas}, nil
}

// spec is the example service with a published port of its own.
func spec(n int, version string, replicas int) cluster.ServiceSpec {
	return cluster.ServiceSpec{
		Mode: cluster.Replicated, Replicas: replicas,
		Template: cluster.Template{
			Container: cluster.ContainerSpec{
				Image: cluster.Image{Ref: lab.Hello}, Env: map[string]string{"CHAOS": version}, StopGrace: time.Second,
			},
			Reservations: cluster.Resources{MilliCPU: 250, Memory: 32 << 20},
			Ports:        []cluster.Port{{Target: 80, Published: port(n), Protocol: "tcp", Mode: cluster.Ingress}},
		},
		Update: cluster.Update{Parallelism: maxReplicas},
	}
}

func port(n int) uint16 { return uint16(firstPort + n) }
