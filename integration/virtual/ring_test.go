package virtual

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/agent/gossip/gossiptest"
	"github.com/musterhq/muster/integration/virtual/memnet"
)

// trace has every agent's log printed as it comes.
var trace = flag.Bool("trace", false, "print what the agents log, debug level included")

// ring is a set of hosts that can form clusters.
type ring struct {
	*testing.T
	net    *memnet.Network
	gossip *gossiptest.Network
	hosts  []*host
	began  time.Time
	log    *ringLog
}

// bubble runs a scenario on n hosts with an idle agent on each, and ends
// everything after it. A scenario that ends well must leave agents that do.
func bubble(t *testing.T, n int, scenario func(r *ring)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &ring{T: t, net: memnet.New(), gossip: gossiptest.NewNetwork(), began: time.Now(), log: newRingLog()}
		defer r.end()
		for i := 1; i <= n; i++ {
			r.add(i).start()
		}
		scenario(r)
	})
}

// end stops the agents and waits until the last of their timers is over:
// memberlist leaves goroutines behind for a while.
func (r *ring) end() {
	if r.Failed() {
		r.Logf("at the end, %s after the beginning:\n%s\n%s", time.Since(r.began), r.describe(), r.log.tail())
	}
	var stopping sync.WaitGroup
	for _, h := range r.hosts {
		stopping.Go(h.stop)
	}
	stopping.Wait()
	for _, h := range r.hosts {
		_ = h.engine.Close()
	}
	time.Sleep(time.Minute + time.Second)
}

// host returns the i-th host, counted from 1: its name is n<i>.
func (r *ring) host(i int) *host { return r.hosts[i-1] }

// others are all hosts but the given ones.
func (r *ring) others(not ...*host) []*host {
	var out []*host
	for _, h := range r.hosts {
		keep := true
		for _, n := range not {
			keep = keep && h != n
		}
		if keep {
			out = append(out, h)
		}
	}
	return out
}

// cut stops everything that from sends to to.
func (r *ring) cut(from, to *host) {
	r.net.Cut(from.ip, to.ip)
	r.gossip.Cut(from.gossipAddr(), to.gossipAddr())
}

// cutBoth cuts the links between hosts of different groups, both ways.
func (r *ring) cutBoth(groups ...[]*host) {
	for i, group := range groups {
		for _, other := range groups[i+1:] {
			for _, a := range group {
				for _, b := range other {
					r.cut(a, b)
					r.cut(b, a)
				}
			}
		}
	}
}

// heal mends every link.
func (r *ring) heal() {
	for _, a := range r.hosts {
		for _, b := range r.hosts {
			r.net.Mend(a.ip, b.ip)
		}
	}
	r.gossip.Heal()
}

// pause lets virtual time pass.
func (r *ring) pause(d time.Duration) { time.Sleep(d) }

// lookEvery is how finely until looks.
const lookEvery = 50 * time.Millisecond

// until waits for a condition, which says what is missing, and returns how long
// that took. The scenario fails when it takes longer than the limit.
func (r *ring) until(limit time.Duration, missing func() string) time.Duration {
	r.Helper()
	start := time.Now()
	for {
		why := missing()
		if why == "" {
			return time.Since(start)
		}
		if time.Since(start) > limit {
			r.Fatalf("after %s: %s", limit, why)
		}
		time.Sleep(lookEvery)
	}
}

// always checks a condition for a time.
func (r *ring) always(d time.Duration, wrong func() string) {
	r.Helper()
	for start := time.Now(); time.Since(start) < d; time.Sleep(lookEvery) {
		if why := wrong(); why != "" {
			r.Fatalf("%s after the beginning of %s: %s", time.Since(start), d, why)
		}
	}
}

// all joins conditions: the first that misses something speaks.
func all(conditions ...func() string) func() string {
	return func() string {
		for _, c := range conditions {
			if why := c(); why != "" {
				return why
			}
		}
		return ""
	}
}

// ringLog is what the agents said, in order.
type ringLog struct {
	mu    sync.Mutex
	lines []string
	led   int // how often an agent said that it leads
}

func newRingLog() *ringLog { return &ringLog{} }

// kept is how many lines a failure prints.
const kept = 300

func (l *ringLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := strings.TrimSuffix(string(b), "\n")
	l.lines = append(l.lines, line)
	if strings.Contains(line, `msg="this node leads"`) {
		l.led++
	}
	if len(l.lines) > 2*kept {
		l.lines = append([]string(nil), l.lines[len(l.lines)-kept:]...)
	}
	return len(b), nil
}

// elections counts those that were won.
func (l *ringLog) elections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.led
}

func (l *ringLog) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines[max(0, len(l.lines)-kept):], "\n")
}

// logger is an agent's log, stamped with the time since the ring began.
func (r *ring) logger(name string) *slog.Logger {
	var out io.Writer = r.log
	level := slog.LevelInfo
	if *trace {
		out, level = io.MultiWriter(r.log, os.Stderr), slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
			return slog.String("t", fmt.Sprintf("%.3f", a.Value.Time().Sub(r.began).Seconds()))
		}
		return a
	}})).With("host", name)
}

// soon bounds one question of a scenario to an agent.
func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}
