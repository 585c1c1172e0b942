package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// engine is a model of one host's Docker: containers, images and an API that
// takes its time, fails before or after it did what was asked, or hangs.
type engine struct {
	h          *host
	up         bool
	hung       bool
	session    int      // counts its starts
	held       []func() // calls that wait for the hang to end
	containers []*container
	images     map[string]bool // looked up only
	streams    int             // images that other hosts copy from here
	made       int             // containers, ever
	port       uint16          // last one that it chose
	events     func(runtime.Event)
}

func newEngine(h *host) *engine { return &engine{h: h, images: map[string]bool{}, port: 32767} }

// start boots the daemon; whatever ran is dead.
func (e *engine) start() { e.up, e.hung, e.held, e.session = true, false, nil, e.session+1 }

// crash is the power failing.
func (e *engine) crash() {
	e.up, e.hung, e.held, e.events = false, false, nil, nil
	for _, c := range e.containers {
		if c.Status == runtime.StatusRunning {
			e.ended(c, 137)
		}
	}
	// What was being removed comes back whole.
	for _, c := range e.containers {
		if c.Status == runtime.StatusRemoving {
			c.Status = runtime.StatusExited
		}
	}
	e.h.w.watch.containersChanged(e.h)
}

// restart stops the daemon and starts it again; containers die unless it is set
// to keep them.
func (e *engine) restart(keeps bool) {
	if !e.up {
		return
	}
	e.note("daemon stops", "")
	e.up, e.hung, e.events = false, false, nil
	e.session++
	e.release()
	for _, c := range e.containers {
		if !keeps && c.Status == runtime.StatusRunning {
			e.ended(c, 137)
		}
	}
	e.h.w.watch.containersChanged(e.h)
	e.h.after(e.h.w.between(time.Second, 8*time.Second), func() {
		e.note("daemon starts", "")
		e.start()
		if a := e.h.agent; a != nil {
			a.follow()
		}
	})
}

// hang lets every call wait until the hang ends.
func (e *engine) hang(on bool) {
	if !e.up || e.hung == on {
		return
	}
	e.note(fmt.Sprintf("hangs: %v", on), "")
	e.hung = on
	if !on {
		e.release()
	}
}

func (e *engine) release() {
	held := e.held
	e.held = nil
	for _, do := range held {
		do()
	}
}

// call is one call of the API. effect happens in the engine, whatever becomes of
// the caller; done is called once, at the latest when the deadline has passed.
func (e *engine) call(latency, deadline time.Duration, effect func() error, done func(error)) {
	w, session, told := e.h.w, e.session, false
	tell := func(err error) {
		if !told {
			told = true
			done(err)
		}
	}
	e.h.after(deadline, func() { tell(fmt.Errorf("%w: no answer within %v", runtime.ErrEngine, deadline)) })
	var act func()
	act = func() {
		switch {
		case !e.up || e.session != session:
			tell(fmt.Errorf("%w: connection refused", runtime.ErrEngine))
		case e.hung:
			e.held = append(e.held, act)
		case !w.quiet && w.chance(0.005):
			tell(fmt.Errorf("%w: 500 Internal Server Error", runtime.ErrEngine))
		default:
			err := effect()
			if !w.quiet && err == nil && w.chance(0.01) { // it did what was asked and says otherwise
				err = fmt.Errorf("%w: 500 Internal Server Error", runtime.ErrEngine)
			}
			tell(err)
		}
	}
	e.h.after(latency, act)
}

func (e *engine) find(idOrName string) *container {
	for _, c := range e.containers {
		if c.ID == idOrName || c.Name == idOrName {
			return c
		}
	}
	return nil
}

// create makes a container; id is set before done is called without error.
func (e *engine) create(r runtime.Create, deadline time.Duration, done func(id string, err error)) {
	var id string
	e.call(e.h.w.between(30*time.Millisecond, 300*time.Millisecond), deadline, func() error {
		switch {
		case e.find(r.Name) != nil:
			return fmt.Errorf("%w: %s", runtime.ErrConflict, r.Name)
		case !e.images[r.Spec.Image.Digest]:
			return fmt.Errorf("%w: no such image %s", runtime.ErrNotFound, r.Spec.Image.Digest)
		}
		e.made++
		id = fmt.Sprintf("%s-c%d", e.h.id, e.made)
		e.containers = append(e.containers, &container{request: r, Container: runtime.Container{
			ID: id, Name: r.Name, Labels: r.Labels, Image: r.Spec.Image.Digest,
			Status: runtime.StatusCreated, Created: e.h.clock(),
		}})
		e.note("create", id)
		return nil
	}, func(err error) { done(id, err) })
}

func (e *engine) startContainer(id string, deadline time.Duration, done func(error)) {
	e.call(e.h.w.between(50*time.Millisecond, 600*time.Millisecond), deadline, func() error {
		c := e.find(id)
		switch {
		case c == nil:
			return fmt.Errorf("%w: no such container", runtime.ErrNotFound)
		case c.Status == runtime.StatusRunning:
			return nil
		case c.Status == runtime.StatusRemoving || c.Status == runtime.StatusDead:
			return fmt.Errorf("%w: it is being removed", runtime.ErrConflict)
		}
		return e.run(c)
	}, done)
}

// stop takes as long as the process needs to end, at most the grace.
func (e *engine) stop(id string, grace, deadline time.Duration, done func(error)) {
	latency := e.h.w.between(20*time.Millisecond, 500*time.Millisecond)
	if e.h.w.chance(0.1) {
		latency = grace // it ignores the signal
	}
	e.watchStop(id)
	e.call(latency, deadline, func() error {
		if c := e.find(id); c != nil {
			e.die(c, 143)
		}
		return nil
	}, done)
}

// remove takes a container away, sometimes slowly.
func (e *engine) remove(id string, deadline time.Duration, done func(error)) {
	e.watchStop(id)
	e.call(e.h.w.between(20*time.Millisecond, 200*time.Millisecond), deadline, func() error {
		c := e.find(id)
		switch {
		case c == nil:
			return nil
		case c.Status == runtime.StatusRemoving:
			return fmt.Errorf("%w: removal is in progress already", runtime.ErrConflict)
		}
		e.die(c, 137)
		if !e.h.w.quiet && e.h.w.chance(0.05) {
			c.Status = runtime.StatusRemoving
			e.h.after(e.h.w.between(time.Second, 10*time.Second), func() { e.forget(c) })
			return nil
		}
		e.forget(c)
		return nil
	}, done)
}

// watchStop lets the watch judge that the agent stops a container.
func (e *engine) watchStop(id string) {
	if c := e.find(id); c != nil && c.Status == runtime.StatusRunning {
		e.h.w.watch.stopping(e.h, c)
	}
}

func (e *engine) forget(c *container) {
	if i := slices.Index(e.containers, c); i >= 0 {
		e.containers = slices.Delete(e.containers, i, i+1)
		e.note("remove", c.ID)
		e.emit(c, "destroy")
	}
}

// list returns all containers as they are when it is answered.
func (e *engine) list(deadline time.Duration, done func([]runtime.Container, error)) {
	var out []runtime.Container
	e.call(e.h.w.between(3*time.Millisecond, 40*time.Millisecond), deadline, func() error {
		for _, c := range e.containers {
			out = append(out, c.Container)
		}
		return nil
	}, func(err error) { done(out, err) })
}

func (e *engine) inspect(id string, deadline time.Duration, done func(runtime.Container, error)) {
	var out runtime.Container
	e.call(e.h.w.between(2*time.Millisecond, 20*time.Millisecond), deadline, func() error {
		c := e.find(id)
		if c == nil {
			return fmt.Errorf("%w: no such container", runtime.ErrNotFound)
		}
		out = c.Container
		return nil
	}, func(err error) { done(out, err) })
}

// pull gets an image onto the host.
func (e *engine) pull(i cluster.Image, done func(error)) {
	latency := e.h.w.between(200*time.Millisecond, 4*time.Second)
	if !e.h.w.quiet && e.h.w.chance(0.1) {
		latency = e.h.w.between(4*time.Second, 40*time.Second)
	}
	e.call(latency, time.Hour, func() error {
		switch {
		case !e.h.w.registry:
			return errNoRegistry
		case natureOf(i) == missing:
			return fmt.Errorf("%w: manifest unknown", runtime.ErrNotFound)
		}
		if !e.h.w.quiet && e.h.w.chance(0.05) {
			return fmt.Errorf("%w: toomanyrequests", runtime.ErrEngine)
		}
		e.images[i.Digest] = true
		return nil
	}, func(err error) {
		if errors.Is(err, errNoRegistry) {
			e.copy(i, done)
			return
		}
		done(err)
	})
}

// emit sends an event to who listens, if it is not lost.
func (e *engine) emit(c *container, action string) {
	if e.events == nil || !e.h.w.quiet && e.h.w.chance(0.05) {
		return
	}
	send, ev := e.events, runtime.Event{ContainerID: c.ID, Labels: c.Labels, Action: action, At: e.h.clock()}
	e.h.after(e.h.w.between(time.Millisecond, 20*time.Millisecond), func() { send(ev) })
}

func (e *engine) note(what, id string) { e.h.w.note("docker", string(e.h.id)+" "+id, what, 0) }
