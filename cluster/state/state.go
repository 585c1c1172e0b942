package state

import (
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/cluster"
)

// Retention of what has ended.
const (
	KeepEndedTasks  = 5                // a slot
	KeepGenerations = 10               // a service, the current one included
	KeepEvents      = 10_000           // the cluster
	KeepRequests    = 10 * time.Minute // of command time
)

// State is the replicated state machine. It is not safe for concurrent use:
// one goroutine applies, anybody may keep the Views that it hands out.
type State struct {
	view View
}

// New returns the state before Init.
func New() *State {
	return &State{view: View{
		nodes: newTable[cluster.Node](), networks: newTable[cluster.Network](), services: newTable[cluster.Service](), tasks: newTable[cluster.Task](),
		tokens: newTable[cluster.Token](), sealed: newTable[namedSealed](), images: newTable[imageRecord](), requests: newTable[request](),
		events: newTable[Event](), byService: newTable[cluster.Task](), byNode: newTable[cluster.Task](),
		allocated: newTable[Allocation](), repeated: newTable[Event](),
		held: newTable[run](),
	}}
}

// View returns the state as it is now.
func (s *State) View() View { return s.view }

// Apply applies the command at the given log index. A refused command changes
// nothing but the index and the memory of its request.
func (s *State) Apply(index uint64, c Command) Result {
	tx := begin(s.view, index, c.At)
	res, known := tx.recall(c.Request)
	if !known {
		res = tx.run(c)
		if res.Err != nil {
			tx = begin(s.view, index, c.At) // drop what the refused command did
		}
		tx.remember(c.Request, res)
	}
	level := max(s.view.level, c.version()) // of the log, which holds refused commands as well
	s.view = tx.commit()
	s.view.level = level
	return res
}

// run dispatches the command and collects its result.
func (tx *tx) run(c Command) Result {
	var err error
	if c.Body.Kind() != KindInit && tx.base.ident == nil {
		err = &Error{CodeConflict, "this node is not in a cluster; run `muster init` or `muster join`"}
	} else {
		err = c.Body.apply(tx)
	}
	if err != nil {
		return Result{Index: tx.index, Err: asError(err)}
	}
	tx.endRedirects()
	tx.endNetworks()
	return Result{Index: tx.index, Refused: tx.refused, Services: tx.outcome, Changes: tx.changes}
}

func asError(err error) *Error {
	var refused *Error
	if errors.As(err, &refused) {
		return refused
	}
	return &Error{CodeInvalid, err.Error()}
}

// recall answers a request that was applied before, or refuses one that is so
// old that its result is forgotten. A request's age is its ULID's time.
func (tx *tx) recall(id string) (Result, bool) {
	if id == "" {
		return Result{}, false
	}
	u, err := ulid.ParseStrict(id)
	if err != nil {
		return Result{Index: tx.index, Err: &Error{CodeInvalid, fmt.Sprintf("request ID %q is not a ULID", id)}}, true
	}
	if ulid.Time(u.Time()).Before(tx.now.Add(-KeepRequests)) {
		return Result{Index: tx.index, Err: &Error{CodeExpired, "the request is more than ten minutes old; send it again as a new one"}}, true
	}
	if r, ok := tx.requests.get(id); ok {
		return r.Result, true
	}
	return Result{}, false
}

// remember keeps a request's result and forgets those past their time.
func (tx *tx) remember(id string, res Result) {
	if id == "" {
		return
	}
	res.Changes = nil
	if _, ok := tx.requests.get(id); !ok {
		tx.requests.put(id, &request{ID: id, At: tx.now, Result: res})
	}
	for {
		_, e, ok := tx.requests.txn.Root().Minimum()
		if !ok || !e.val.At.Before(tx.now.Add(-KeepRequests)) {
			return
		}
		tx.requests.del(e.val.ID)
	}
}
