package probe

import (
	"context"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// engine runs commands that are scripted.
type engine struct {
	calls atomic.Int32
	code  atomic.Int32
	hang  atomic.Bool
}

func (e *engine) Exec(ctx context.Context, _ string, x runtime.Exec) (int, error) {
	e.calls.Add(1)
	_, _ = io.WriteString(x.Stdout, "no\ntable\n")
	if e.hang.Load() {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	return int(e.code.Load()), nil
}

// inBubble runs f with a prober in virtual time.
func inBubble(t *testing.T, f func(t *testing.T, e *engine, p *Prober)) {
	synctest.Test(t, func(t *testing.T) {
		e := &engine{}
		p := New(e)
		defer p.Close()
		f(t, e, p)
	})
}

func target(change ...func(*Target)) Target {
	out := Target{
		Container: "c1", Started: time.Now(), Before: cluster.HealthStarting,
		Probe: &cluster.Probe{Exec: []string{"/check", "-v"}},
	}
	for _, f := range change {
		f(&out)
	}
	return out
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (p *Prober) expect(t *testing.T, x Target, want cluster.Health) Verdict {
	t.Helper()
	v, _ := p.Verdict(x.Container, x.Started)
	if v.Health != want {
		t.Errorf("%s after the start: %+v, want %q", time.Since(x.Started), v, want)
	}
	return v
}

func TestVerdictsChangeAndAreToldAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, e *engine, p *Prober) {
		e.code.Store(3)
		x := target()
		p.expect(t, x, "")
		p.Watch([]Target{x})
		synctest.Wait()
		p.expect(t, x, cluster.HealthStarting)
		<-p.News()
		e.code.Store(0)
		pass(soon)
		p.expect(t, x, cluster.HealthHealthy)
		<-p.News()
		e.code.Store(3)
		pass(2 * cluster.DefaultProbeInterval)
		p.expect(t, x, cluster.HealthHealthy)
		select {
		case <-p.News():
			t.Error("news of a verdict that is the same")
		default:
		}
		pass(cluster.DefaultProbeInterval)
		if v := p.expect(t, x, cluster.HealthUnhealthy); v.Why != "command /check -v: exit code 3 no table" {
			t.Errorf("why = %q", v.Why)
		}
		<-p.News()
	})
}

func TestAnotherRunBeginsAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, e *engine, p *Prober) {
		x := target()
		p.Watch([]Target{x})
		pass(time.Minute)
		before := e.calls.Load()
		p.Watch([]Target{x, target(func(o *Target) { o.Container = "c2" })})
		synctest.Wait()
		if got := e.calls.Load(); got != before+1 {
			t.Errorf("%d checks when another container came, want its first alone", got-before)
		}
		e.code.Store(1)
		again := target()
		p.Watch([]Target{again})
		if _, ok := p.Verdict(x.Container, x.Started); ok {
			t.Error("there is a verdict on a run that is over")
		}
		synctest.Wait()
		p.expect(t, again, cluster.HealthStarting)
		moved := again
		moved.Probe = &cluster.Probe{Exec: []string{"/other"}}
		e.code.Store(0)
		p.Watch([]Target{moved})
		synctest.Wait()
		p.expect(t, moved, cluster.HealthHealthy)
		p.Watch(nil)
		before = e.calls.Load()
		pass(time.Hour)
		if got := e.calls.Load(); got != before {
			t.Errorf("%d checks of what is not watched any more", got-before)
		}
	})
}

// A command that hangs is one at most: the engine cannot end it.
func TestAHangingCommand(t *testing.T) {
	inBubble(t, func(t *testing.T, e *engine, p *Prober) {
		e.hang.Store(true)
		x := target(func(o *Target) { o.Before = cluster.HealthHealthy })
		p.Watch([]Target{x})
		pass(time.Minute)
		if v := p.expect(t, x, cluster.HealthUnhealthy); v.Why != "command /check -v: no answer within 5s" {
			t.Errorf("why = %q", v.Why)
		}
		if got := e.calls.Load(); got != 1 {
			t.Errorf("%d commands were begun, want 1", got)
		}
	})
}
