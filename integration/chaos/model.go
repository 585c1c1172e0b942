package chaos

import (
	"math"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// stack is what users can know of a stack: a register.
type stack struct {
	exists   bool
	version  string
	replicas int
}

// verb is what a user did.
type verb string

const (
	deploy verb = "deploy"
	scale  verb = "scale"
	remove verb = "rm"
	look   verb = "ls"
)

// input is a call, as the user made it.
type input struct {
	verb     verb
	stack    string
	version  string // of a deploy
	replicas int    // of a deploy or scale
}

// output is what the user was told.
type output struct {
	unknown bool  // nothing: it may have taken effect, or may yet
	absent  bool  // there is no such stack
	seen    stack // of a look
}

// model says which histories of a stack a single copy of it could have.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[string][]porcupine.Operation{}
		for _, op := range history {
			name := op.Input.(input).stack
			parts[name] = append(parts[name], op)
		}
		var out [][]porcupine.Operation
		for _, part := range parts {
			out = append(out, part)
		}
		return out
	},
	Init: func() any { return stack{} },
	Step: func(s, in, out any) (bool, any) { return step(s.(stack), in.(input), out.(output)) },
}

func step(s stack, in input, out output) (legal bool, next stack) {
	switch {
	case in.verb == look:
		return out.seen == s, s
	case out.absent:
		return !s.exists, s
	case in.verb == deploy:
		return true, stack{exists: true, version: in.version, replicas: in.replicas}
	case in.verb == remove:
		return true, stack{} // what is being removed may be removed again
	case !s.exists:
		return out.unknown, s // a scale that found nothing
	}
	s.replicas = in.replicas
	return true, s
}

// history is what all users did and were told.
type history struct {
	begun time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
}

// add notes a call that was answered now. A call whose outcome is not known may
// take effect at any time from its beginning on.
func (h *history) add(user int, called time.Time, in input, out output) {
	op := porcupine.Operation{
		ClientId: user, Input: in, Output: out,
		Call: called.Sub(h.begun).Nanoseconds(), Return: time.Since(h.begun).Nanoseconds(),
	}
	if out.unknown {
		op.Return = math.MaxInt64
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, op)
}

// check reports whether the answers fit one history; decided is false when that
// could not be found out within the limit.
func (h *history) check(limit time.Duration) (fits, decided bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	result := porcupine.CheckOperationsTimeout(model, h.ops, limit)
	return result != porcupine.Illegal, result != porcupine.Unknown
}

func (h *history) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ops)
}
