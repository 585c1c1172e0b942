package proxy

import (
	"fmt"
	"time"

	"github.com/musterhq/muster/lb"
)

// shedShown is how long a port is said to close connections after the last one.
const shedShown = 10 * time.Second

// begin counts a connection and says why it cannot be served, "" where it can.
// Its end is to be counted either way.
func (p *Proxy) begin(f *lb.Frontend, count *counters) (why string) {
	count.connections.Add(1)
	open := count.active.Add(1)
	switch limit := f.Balance.Connections; {
	case limit > 0 && open > int64(limit):
		why = explainShed(f, limit)
	case f.Balance.Degrade && p.short():
		why = explainDegraded(f, cap(p.slots))
	default:
		return ""
	}
	count.shed.Add(1)
	return why
}

// short reports whether more than three quarters of the connections are open that
// this node takes on all ports.
func (p *Proxy) short() bool { return 4*len(p.slots) > 3*cap(p.slots) }

// shed notes that a connection was closed, and logs it once.
func (l *port) shed(why string) {
	now := time.Now()
	next := &Problem{Port: l.key, Message: why, Since: now}
	if prev := l.shedding.Swap(&shedding{last: now, problem: next}); prev != nil && prev.lasts(now) {
		next.Since = prev.problem.Since
		return
	}
	l.proxy.log.Warn("connections to a published port are closed", "problem", why)
}

// shedding is the last connection that was closed because there were too many.
type shedding struct {
	last    time.Time
	problem *Problem
}

func (s *shedding) lasts(now time.Time) bool { return now.Sub(s.last) < shedShown }

func explainShed(f *lb.Frontend, limit int) string {
	return fmt.Sprintf("port %d closes connections: %s has %d open on this node, as many as its x-muster.balance.connections allows; raise it",
		f.Port.Number, f.Service, limit)
}

func explainDegraded(f *lb.Frontend, most int) string {
	return fmt.Sprintf("port %d closes connections: the published ports of this node have more than three quarters of the %d that it takes open, and %s is to give way (x-muster.balance.degrade)",
		f.Port.Number, most, f.Service)
}
