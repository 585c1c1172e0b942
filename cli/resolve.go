package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/cluster"
)

// findServices is what a user's word for a service or stack can mean: the exact
// stack/service, all services of the stack of that name, or else every service
// of that name.
func findServices(all []api.Service, word string) []api.Service {
	same := func(match func(api.Service) bool) []api.Service {
		var out []api.Service
		for _, s := range all {
			if match(s) {
				out = append(out, s)
			}
		}
		return out
	}
	if strings.Contains(word, "/") {
		return same(func(s api.Service) bool { return s.Service == word })
	}
	if found := same(func(s api.Service) bool { return s.Stack == word }); len(found) > 0 {
		return found
	}
	return same(func(s api.Service) bool { return cluster.ServiceID(s.Service).Name() == word })
}

// oneService resolves a service argument: stack/service, the name of a stack
// that has one service, or the name of a service that no other stack has.
func oneService(ctx context.Context, cl *client.Client, word string) (cluster.ServiceID, error) {
	all, err := cl.Services(ctx, "")
	if err != nil {
		return "", err
	}
	found := findServices(all, word)
	switch len(found) {
	case 0:
		return "", noService(all, word)
	case 1:
		return cluster.ServiceID(found[0].Service), nil
	}
	return "", ambiguous(found, word)
}

func ambiguous(found []api.Service, word string) error {
	return fmt.Errorf("%q can mean %s; name one of them", word, strings.Join(serviceIDs(found), ", "))
}

// target is a whole stack, or one service of it.
type target struct {
	stack   string
	service cluster.ServiceID // "": the whole stack
}

func (t target) String() string {
	if t.service == "" {
		return "stack " + t.stack
	}
	return "service " + string(t.service)
}

// oneTarget resolves an argument that can be a stack or a service; the stack of
// a name comes before services of that name.
func oneTarget(all []api.Service, word string) (target, error) {
	found := findServices(all, word)
	switch {
	case len(found) == 0:
		return target{}, noService(all, word)
	case found[0].Stack == word:
		return target{stack: word}, nil
	case len(found) > 1:
		return target{}, ambiguous(found, word)
	}
	return target{found[0].Stack, cluster.ServiceID(found[0].Service)}, nil
}

func serviceIDs(list []api.Service) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s.Service
	}
	return out
}

// unknownName is a word that names nothing.
type unknownName struct{ message string }

func (e *unknownName) Error() string { return e.message }

func unknownf(format string, args ...any) error { return &unknownName{fmt.Sprintf(format, args...)} }

func isUnknown(err error) bool {
	var e *unknownName
	return errors.As(err, &e)
}

// noService says what is there instead; the error is an *unknownName.
func noService(all []api.Service, word string) error {
	if len(all) == 0 {
		return unknownf("there is no service %q, nor any other; deploy one with: muster deploy -f compose.yaml", word)
	}
	ids := serviceIDs(all)
	const shown = 8
	more := ""
	if len(ids) > shown {
		ids, more = ids[:shown], ", ..."
	}
	return unknownf("there is no service %q; there are %s%s (see: muster ls)", word, strings.Join(ids, ", "), more)
}

// splitSlot takes "web.2" apart; ok is false where word names no slot. Names
// hold no dots.
func splitSlot(word string) (service string, slot int, ok bool) {
	i := strings.LastIndexByte(word, '.')
	if i < 0 {
		return "", 0, false
	}
	slot, err := strconv.Atoi(word[i+1:])
	return word[:i], slot, err == nil && slot > 0
}

// minTaskID is how much of a task's ID must be typed for it to be taken as one.
const minTaskID = 6

// looksLikeTask reports whether word may be a task's ID or its beginning.
func looksLikeTask(word string) bool {
	return len(word) >= minTaskID && !strings.ContainsAny(word, "/.-")
}

// oneTask resolves a task argument: a service (its first running task), a slot
// of one ("web.2"), or a task's ID or its beginning. The error is an
// *unknownName where it is none of these.
func oneTask(ctx context.Context, cl *client.Client, word string) (api.Task, error) {
	service, slot, hasSlot := splitSlot(word)
	if !hasSlot {
		service = word
	}
	id, err := oneService(ctx, cl, service)
	if err != nil {
		if hasSlot || !looksLikeTask(word) || !isUnknown(err) {
			return api.Task{}, err
		}
		found, taskErr := cl.Task(ctx, word)
		if client.NotFound(taskErr) {
			return api.Task{}, err
		}
		return found.Task, taskErr
	}
	tasks, err := cl.Tasks(ctx, client.TaskQuery{Stack: id.Stack(), Service: string(id), All: hasSlot})
	if err != nil {
		return api.Task{}, err
	}
	if hasSlot {
		tasks = slices.DeleteFunc(tasks, func(t api.Task) bool { return t.Slot != slot })
	}
	if len(tasks) == 0 {
		return api.Task{}, unknownf("there is no task %s (see: muster ps -a %s)", word, id)
	}
	return slices.MinFunc(tasks, preferred), nil
}

// preferred orders the tasks of a service by how likely a user means them:
// running ones first, then by slot, then the latest.
func preferred(a, b api.Task) int {
	rank := func(t api.Task) int {
		switch {
		case t.State == string(cluster.StateRunning):
			return 0
		case !over(t.State):
			return 1
		}
		return 2
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	if d := a.Slot - b.Slot; d != 0 {
		return d
	}
	return b.Created.Compare(a.Created)
}
