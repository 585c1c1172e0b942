package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
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
		for _, name := range slices.Sorted(maps.Keys(parts)) {
			out = append(out, parts[name])
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

// verdict is what is known of a history.
type verdict string

const (
	legal     = verdict(porcupine.Ok)
	illegal   = verdict(porcupine.Illegal)
	undecided = verdict(porcupine.Unknown) // not within the limit
)

// check reports whether the answers about each stack fit one history, and shows
// around which calls they do not.
func (h *history) check(limit time.Duration) (verdict, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	result, info := porcupine.CheckOperationsVerbose(model, h.ops, limit)
	if verdict(result) != illegal {
		return verdict(result), ""
	}
	var shown []string
	for i, part := range model.Partition(h.ops) {
		if longest := longest(info.PartialLinearizationsOperations()[i]); len(longest) < len(part) {
			shown = append(shown, misfit(part, longest))
		}
	}
	return illegal, strings.Join(shown, "\n")
}

func longest(histories [][]porcupine.Operation) (out []porcupine.Operation) {
	for _, h := range histories {
		if len(h) > len(out) {
			out = h
		}
	}
	return out
}

// misfit shows the end of the longest history that fits, and the first calls
// that are not in it.
func misfit(part, fits []porcupine.Operation) string {
	const shown = 8
	in := map[porcupine.Operation]bool{}
	for _, op := range fits {
		in[op] = true
	}
	var out strings.Builder
	fmt.Fprintf(&out, "stack %s; in an order that is possible:\n", part[0].Input.(input).stack)
	for _, op := range fits[max(0, len(fits)-shown):] {
		fmt.Fprintf(&out, "    %s\n", describe(op))
	}
	out.WriteString("  and then none of:\n")
	rest := slices.DeleteFunc(slices.Clone(part), func(op porcupine.Operation) bool { return in[op] })
	slices.SortFunc(rest, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	for _, op := range rest[:min(shown, len(rest))] {
		fmt.Fprintf(&out, "    %s\n", describe(op))
	}
	return out.String()
}

func describe(op porcupine.Operation) string {
	in, out := op.Input.(input), op.Output.(output)
	told := "done"
	switch {
	case out.unknown:
		told = "no answer"
	case out.absent:
		told = "no such stack"
	case in.verb == look:
		told = fmt.Sprintf("%+v", out.seen)
	}
	seconds := func(ns int64) string {
		if ns == math.MaxInt64 {
			return "-"
		}
		return fmt.Sprintf("%.3fs", time.Duration(ns).Seconds())
	}
	return fmt.Sprintf("%s to %s user %d: %s %s %q x%d: %s", seconds(op.Call), seconds(op.Return), op.ClientId, in.verb, in.stack, in.version, in.replicas, told)
}

// last are the latest answers.
func (h *history) last(n int) (out []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range h.ops[max(0, len(h.ops)-n):] {
		out = append(out, describe(op))
	}
	return out
}

func (h *history) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ops)
}
