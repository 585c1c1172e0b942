package fake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/musterhq/muster/runtime"
)

// Op names a method of the driver.
type Op string

// Methods that faults can be scripted for and calls are counted of.
const (
	OpPing    Op = "ping"
	OpInfo    Op = "info"
	OpList    Op = "list"
	OpInspect Op = "inspect"
	OpCreate  Op = "create"
	OpStart   Op = "start"
	OpStop    Op = "stop"
	OpRemove  Op = "remove"
	OpEvents  Op = "events"
	OpLogs    Op = "logs"
	OpExec    Op = "exec"
	OpStats   Op = "stats"
	OpNetwork Op = "network"
	OpImage   Op = "image" // has, resolve, tag, list
	OpPull    Op = "pull"
	OpSave    Op = "save" // and load
	OpBuild   Op = "build"
)

// Fault is what goes wrong with a method. Delay comes first, then Hang or Err.
type Fault struct {
	Delay time.Duration
	Hang  bool  // until the caller's context ends
	Err   error // returned; with After, once the call has taken effect
	After bool
	Times int // how many calls; 0: until Heal
	// Name restricts the fault to containers whose ID, name or image it is.
	Name string
}

// Fail scripts a fault; a method has one at a time.
func (d *Driver) Fail(op Op, f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults[op] = &f
}

// Heal ends a method's fault. Calls that hang go on hanging.
func (d *Driver) Heal(op Op) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.faults, op)
}

// SetDown stops or starts the engine: while it is down every call fails and
// event streams break. Containers run on.
func (d *Driver) SetDown(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
	if down {
		d.breakStreams()
	}
}

// LoseEvents keeps events from the streams, which stay open.
func (d *Driver) LoseEvents(lose bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.loseEvents = lose
}

// Calls counts the calls of a method so far.
func (d *Driver) Calls(op Op) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls[op]
}

// do runs f under the lock, as the method's faults allow. name is what the
// call is about.
func (d *Driver) do(ctx context.Context, op Op, name string, f func() error) error {
	fault, err := d.enter(op, name)
	if err == nil {
		err = d.suffer(ctx, fault)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", op, name, err)
	}
	d.mu.Lock()
	err = f()
	d.mu.Unlock()
	if err == nil && fault.After {
		err = fault.Err
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", op, name, err)
	}
	return nil
}

// enter counts the call and takes its fault.
func (d *Driver) enter(op Op, name string) (Fault, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[op]++
	if d.down {
		return Fault{}, fmt.Errorf("%w: it is down", runtime.ErrEngine)
	}
	f := d.faults[op]
	if f == nil || f.Name != "" && !d.names(name, f.Name) {
		return Fault{}, nil
	}
	if f.Times > 0 {
		if f.Times--; f.Times == 0 {
			delete(d.faults, op)
		}
	}
	return *f, nil
}

// names reports whether what a call is about goes by the wanted name.
func (d *Driver) names(about, wanted string) bool {
	if about == wanted {
		return true
	}
	c := d.find(about)
	return c != nil && (c.request.Name == wanted || c.id == wanted)
}

// suffer waits and fails as the fault says.
func (d *Driver) suffer(ctx context.Context, f Fault) error {
	if f.Delay > 0 {
		if err := d.wait(ctx, f.Delay, nil); err != nil {
			return err
		}
	}
	if f.Hang {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil {
		return ended(err)
	}
	if f.Err != nil && !f.After {
		return f.Err
	}
	return nil
}

// wait returns after d, or when done closes, or with an error when ctx ends.
func (d *Driver) wait(ctx context.Context, limit time.Duration, done <-chan struct{}) error {
	over := make(chan struct{})
	stop := d.after(limit, func() { close(over) })
	defer stop()
	select {
	case <-over:
		return nil
	case <-done:
		return nil
	case <-ctx.Done():
		return ended(ctx.Err())
	}
}

// ended words the end of a caller's context as a real driver does.
func ended(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", runtime.ErrEngine, err)
	}
	return err
}
