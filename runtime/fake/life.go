package fake

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// container is one container and its script.
type container struct {
	id      string
	image   string // ID
	request runtime.Create
	state   runtime.Container
	script  Behaviour
	timers  []func() bool
	exited  chan struct{} // closed when the current run ends
	output  []logged
}

// logged is a line with the time at which it was written.
type logged struct {
	at time.Time
	Line
}

// seen is a copy of the state that the caller may keep.
func (c *container) seen() runtime.Container {
	out := c.state
	out.Labels = cloneLabels(c.state.Labels)
	out.Ports = append([]cluster.PortBinding(nil), c.state.Ports...)
	return out
}

func (c *container) running() bool {
	return c.state.Status == runtime.StatusRunning || c.state.Status == runtime.StatusPaused
}

func (c *container) stopTimers() {
	for _, stop := range c.timers {
		stop()
	}
	c.timers = nil
}

// start begins a run. The lock is held.
func (d *Driver) start(c *container) error {
	if c.running() {
		return nil
	}
	if err := d.connect(c); err != nil {
		c.state.Error = err.Error()
		return err
	}
	ports, err := d.bind(c.request)
	if err != nil {
		c.state.Error = err.Error()
		return err
	}
	now := d.now()
	c.script = d.behave(c.request)
	c.exited = make(chan struct{})
	c.state.Status, c.state.Started, c.state.Error, c.state.Ports = runtime.StatusRunning, now, "", ports
	c.state.ExitCode, c.state.OOM, c.state.Finished = 0, false, time.Time{}
	for _, l := range c.script.Output {
		c.output = append(c.output, logged{now, l})
	}
	if networks := c.request.Networks; len(networks) > 0 && c.request.Spec.NetworkMode == "" {
		if c.state.Address = networks[0].Address; !c.state.Address.IsValid() {
			c.state.Address = d.address()
		}
	}
	d.tell(c, "start")
	if c.script.ExitAfter > 0 {
		d.later(c, c.script.ExitAfter, func() { d.exit(c, c.script.ExitCode) })
	}
	d.beginHealth(c)
	return nil
}

// beginHealth scripts the verdict of a health check.
func (d *Driver) beginHealth(c *container) {
	h := c.request.Spec.Healthcheck
	if h == nil || len(h.Test) > 0 && h.Test[0] == "NONE" {
		return
	}
	verdict, after := cluster.HealthHealthy, c.script.HealthyAfter
	if after < 0 {
		verdict, after = cluster.HealthUnhealthy, -after
	}
	c.state.Health = cluster.HealthStarting
	d.later(c, after, func() { d.setHealth(c, verdict) })
}

// later calls f under the lock after d, unless the run has ended by then.
func (d *Driver) later(c *container, after time.Duration, f func()) {
	run := c.exited
	c.timers = append(c.timers, d.after(after, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if c.exited == run && c.running() {
			f()
		}
	}))
}

// exit ends a run. The lock is held.
func (d *Driver) exit(c *container, code int) {
	c.stopTimers()
	c.state.Status, c.state.ExitCode, c.state.Finished = runtime.StatusExited, code, d.now()
	c.state.Health, c.state.Ports, c.state.Address = cluster.HealthNone, nil, netip.Addr{}
	close(c.exited)
	d.tell(c, "die")
}

func (d *Driver) setHealth(c *container, h cluster.Health) {
	c.state.Health = h
	d.tell(c, "health_status: "+string(h))
}

// address is one that no other container had. The lock is held.
func (d *Driver) address() netip.Addr {
	d.addresses++
	return netip.AddrFrom4([4]byte{172, 17, byte(d.addresses >> 8), byte(d.addresses)})
}

// bind finds the host ports of a container. The lock is held.
func (d *Driver) bind(c runtime.Create) ([]cluster.PortBinding, error) {
	var out []cluster.PortBinding
	for _, p := range c.Publish {
		host := p.Host
		if host == 0 {
			for host = d.nextPort; d.portBusy(host, p.Protocol); host++ {
				continue
			}
			d.nextPort = host + 1
		} else if d.portBusy(host, p.Protocol) {
			return nil, fmt.Errorf("%w: %d/%s", runtime.ErrPortBusy, host, p.Protocol)
		}
		out = append(out, cluster.PortBinding{Target: p.Target, Host: host, Protocol: p.Protocol})
	}
	return out, nil
}

func (d *Driver) portBusy(port uint16, protocol string) bool {
	for _, c := range d.containers {
		for _, p := range c.state.Ports {
			if c.running() && p.Host == port && p.Protocol == protocol {
				return true
			}
		}
	}
	return false
}

// Kill ends a running container with the code, as a crash would.
func (d *Driver) Kill(id string, code int) {
	d.behindBack(id, func(c *container) {
		if c.running() {
			d.exit(c, code)
		}
	})
}

// Delete removes a container, as docker rm -f would.
func (d *Driver) Delete(id string) {
	d.behindBack(id, d.remove)
}

// SetHealth changes the verdict on a running container.
func (d *Driver) SetHealth(id string, h cluster.Health) {
	d.behindBack(id, func(c *container) { d.setHealth(c, h) })
}

// Reboot ends every container and the event streams, as a restart of the host
// would.
func (d *Driver) Reboot() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.containers {
		if c.running() {
			d.exit(c, 137)
		}
	}
	d.breakStreams()
}

func (d *Driver) behindBack(id string, f func(*container)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.find(id); c != nil {
		f(c)
	}
}

// remove forgets a container. The lock is held.
func (d *Driver) remove(c *container) {
	if c.running() {
		d.exit(c, 137)
	}
	delete(d.containers, c.id)
	d.tell(c, "destroy")
}

// stop signals a container and waits for its end. The lock is not held.
func (d *Driver) stop(ctx context.Context, id string, grace time.Duration) error {
	d.mu.Lock()
	c := d.find(id)
	if c == nil || !c.running() {
		d.mu.Unlock()
		return nil
	}
	takes, code := c.script.StopTakes, c.script.StopCode
	if takes > grace {
		takes, code = grace, 137
	}
	exited := c.exited
	if takes <= 0 {
		d.exit(c, code)
	} else {
		d.later(c, takes, func() { d.exit(c, code) })
	}
	d.mu.Unlock()
	return d.wait(ctx, takes+time.Second, exited)
}

func cloneLabels(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
