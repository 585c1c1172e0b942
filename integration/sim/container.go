package sim

import (
	"fmt"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// container is one container, in the words of the port and with what the model
// has to know besides.
type container struct {
	runtime.Container
	request runtime.Create
	life    int // counts its starts and ends, so that timers know theirs
}

// run starts the container's process.
func (e *engine) run(c *container) error {
	if natureOf(c.request.Spec.Image) == broken {
		c.Error = "exec: no such file"
		return fmt.Errorf("%w: exec: no such file", runtime.ErrInvalid)
	}
	ports, err := e.bind(c)
	if err != nil {
		c.Error = err.Error()
		return err
	}
	c.life++
	c.Status, c.Error, c.Ports, c.ExitCode = runtime.StatusRunning, "", ports, 0
	c.Started, c.Health = e.h.clock(), cluster.HealthNone
	e.note("start", c.ID)
	e.h.w.watch.containersChanged(e.h)
	e.emit(c, "start")
	e.live(c)
	return nil
}

// live lets the container do what is in its image's nature.
func (e *engine) live(c *container) {
	life := c.life
	healthy, ends, code := e.fate(natureOf(c.request.Spec.Image))
	if c.request.Spec.Healthcheck != nil {
		c.Health = cluster.HealthStarting
		if healthy > 0 {
			e.h.after(healthy, func() {
				if c.life == life {
					c.Health = cluster.HealthHealthy
					e.emit(c, "health_status")
				}
			})
		}
	}
	if ends > 0 {
		e.h.after(ends, func() {
			if c.life == life {
				e.die(c, code)
			}
		})
	}
}

// bind gives the container its host ports.
func (e *engine) bind(c *container) ([]cluster.PortBinding, error) {
	var out []cluster.PortBinding
	for _, p := range c.request.Publish {
		host := p.Host
		if host == 0 {
			e.port++
			host = e.port
		} else if e.taken(p) {
			return nil, fmt.Errorf("%w: %d/%s", runtime.ErrPortBusy, p.Host, p.Protocol)
		}
		out = append(out, cluster.PortBinding{Target: p.Target, Host: host, Protocol: p.Protocol})
	}
	return out, nil
}

func (e *engine) taken(p runtime.Publish) bool {
	for _, c := range e.containers {
		if c.Status != runtime.StatusRunning {
			continue
		}
		for _, q := range c.request.Publish {
			if q.Host == p.Host && q.Protocol == p.Protocol {
				return true
			}
		}
	}
	return false
}

// die ends a running container.
func (e *engine) die(c *container, code int) {
	if c.Status != runtime.StatusRunning {
		return
	}
	e.ended(c, code)
	e.note("die", c.ID)
	e.h.w.watch.containersChanged(e.h)
	e.emit(c, "die")
}

func (e *engine) ended(c *container, code int) {
	c.life++
	c.Status, c.ExitCode, c.Finished, c.Ports, c.Health = runtime.StatusExited, code, e.h.clock(), nil, cluster.HealthNone
}
