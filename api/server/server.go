package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/crowd"
	"github.com/musterhq/muster/security"
)

// maxBody bounds a JSON request, in bytes.
const maxBody = 8 << 20

// Server answers the API. Without a backend it answers what an idle agent can.
type Server struct {
	version api.Version
	agent   Lifecycle
	log     *slog.Logger
	backend atomic.Pointer[Backend]
	common  commons
	doors   admission
	held    holds
	bounds  bounds
	reading *crowd.Crowd[*ending] // strangers in the middle of their bodies
	sending *crowd.Crowd[*ending] // strangers that are being answered

	authorities authorityHash
}

// New makes a server for an idle agent.
func New(version api.Version, agent Lifecycle, log *slog.Logger) *Server {
	return &Server{version: version, agent: agent, log: log, doors: newAdmission(), reading: newEndings(maxReading), sending: newEndings(maxSending), bounds: usualBounds}
}

// Attach makes the server answer as a member; nil makes it idle again.
func (s *Server) Attach(b *Backend) { s.backend.Store(b) }

// LocalHandler serves the local socket, whose file mode is the access control.
func (s *Server) LocalHandler() http.Handler {
	return s.mux(func(*http.Request) security.Caller { return security.Caller{Local: true} })
}

// NodeHandler serves the TLS port.
func (s *Server) NodeHandler() http.Handler { return s.strangersApart(s.mux(s.callerOf)) }

// callerOf is who calls over TLS.
func (s *Server) callerOf(r *http.Request) security.Caller {
	b := s.backend.Load()
	if b == nil {
		return security.Caller{}
	}
	return security.CallerOf(r.TLS, b.Identity(), time.Now())
}

// HandlerFor serves calls of this process on behalf of the caller.
func (s *Server) HandlerFor(caller func() security.Caller) http.Handler {
	return s.mux(func(*http.Request) security.Caller { return caller() })
}

// handler answers a call: a value becomes the JSON body; streamed means that
// the handler wrote the answer itself.
type handler func(c *call) (any, error)

// streamed is the value of a handler that wrote its own answer.
var streamed = new(struct{ _ int })

// call is one request being served.
type call struct {
	*Backend // nil on an idle agent
	ctx      context.Context
	s        *Server
	w        http.ResponseWriter
	r        *http.Request
	caller   security.Caller
	stale    bool
}

func (s *Server) mux(caller func(*http.Request) security.Caller) http.Handler {
	return s.muxOf(routes(), caller)
}

func (s *Server) muxOf(routes []route, caller func(*http.Request) security.Caller) http.Handler {
	mux := http.NewServeMux()
	for _, rt := range routes {
		mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) {
			c := &call{Backend: s.backend.Load(), ctx: r.Context(), s: s, w: w, r: r, caller: caller(r)}
			s.serve(rt, c)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		writeError(w, api.Errorf(api.CodeNotFound, "%s %s is not a call of this API", r.Method, r.URL.Path).
			WithHint("use a muster CLI of the agent's version"))
	})
	return mux
}

func (s *Server) serve(rt route, c *call) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http's own sentinel, compared as it does
				panic(p)
			}
			s.log.Error("a call failed unexpectedly", "call", rt.pattern, "panic", p, "stack", string(debug.Stack()))
			if rt.stream {
				panic(http.ErrAbortHandler) // what was sent must not look whole
			}
			writeError(c.w, api.Errorf(api.CodeInternal, "%s failed unexpectedly: %v", rt.pattern, p))
		}
	}()
	v, err := s.answer(rt, c)
	switch {
	case err != nil:
		writeError(c.w, asError(err))
	case v == streamed:
	case v == nil:
		c.w.WriteHeader(http.StatusNoContent)
	default:
		c.w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(c.w).Encode(v) // the caller is gone: nobody to tell
	}
}

// answer checks access, finds the node that serves the call and serves it.
func (s *Server) answer(rt route, c *call) (any, error) {
	defer c.limitBody(rt)()
	defer s.hold(rt, c)()
	if err := s.authorise(rt, c); err != nil {
		return nil, err
	}
	if !rt.stream {
		ctx, cancel := context.WithTimeout(c.ctx, requestTimeout)
		defer cancel()
		c.ctx = ctx
	}
	if err := c.readStranger(rt); err != nil {
		return nil, err
	}
	leave, err := s.doors.admit(c.ctx, rt)
	if err != nil {
		return nil, err
	}
	defer leave()
	if rt.where == idle {
		return rt.handle(c)
	}
	if c.Backend == nil {
		return nil, api.Errorf(api.CodeNotMember, "this host is not in a cluster").
			WithHint("run `muster init` to make one or `muster join` to join one")
	}
	if rt.where == leader || rt.where == fresh {
		if to, ok := c.relayTo(); ok {
			if err := c.relay(to, rt); err == nil || !rt.readsAgain() {
				return streamed, err
			}
		}
		if err := c.servable(rt); err != nil {
			return nil, err
		}
	}
	return rt.handle(c)
}

// authorise applies the route's rule. On an idle agent only the local socket
// and public routes get anywhere.
func (s *Server) authorise(rt route, c *call) error {
	var lookup security.Lookup = memberLookup(nil)
	if c.Backend != nil {
		lookup = c.lookup()
	}
	err := security.Authorise(rt.access, c.caller, lookup)
	if err != nil && c.Backend != nil && c.caller.NodeID != "" {
		if newer := c.toldLookup(); newer != nil {
			err = security.Authorise(rt.access, c.caller, newer)
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, security.ErrUnauthenticated):
		return api.Errorf(api.CodeUnauthorized, "%s: %v", rt.pattern, err)
	case errors.Is(err, security.ErrNotMember):
		return api.Errorf(api.CodeRemoved, "%s: %v", rt.pattern, err)
	default:
		return api.Errorf(api.CodeForbidden, "%s: %v", rt.pattern, err)
	}
}

// decode reads a user's JSON body into v. A field that is not known is an error:
// it would be ignored silently.
func (c *call) decode(v any) error {
	dec := json.NewDecoder(c.r.Body)
	dec.DisallowUnknownFields()
	return decoded(dec.Decode(v))
}

// decodePeer reads the JSON body of another node's agent into v. Fields that
// are not known are passed over, so that old and new agents understand each
// other.
func (c *call) decodePeer(v any) error { return decoded(json.NewDecoder(c.r.Body).Decode(v)) }

func decoded(err error) error {
	if err != nil {
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			return api.Errorf(api.CodeTooLarge, "the request has more than %s", cluster.FormatBytes(tooLarge.Limit))
		case errors.Is(err, os.ErrDeadlineExceeded):
			return api.Errorf(api.CodeUnavailable, "read the request: it did not come to its end in time").
				WithHint("send it again; check the network between here and there")
		}
		return api.Errorf(api.CodeInvalid, "read the request: %v", err)
	}
	return nil
}

// propose commits a command and turns its refusal into an error.
func (c *call) propose(request string, body state.Body) (state.Result, error) {
	res, err := c.State.Propose(c.ctx, request, body)
	if err != nil {
		return res, err
	}
	if res.Err != nil {
		return res, fromState(res.Err)
	}
	return res, nil
}

func fromState(e *state.Error) *api.Error {
	code := api.CodeInvalid
	switch e.Code {
	case state.CodeNotFound:
		code = api.CodeNotFound
	case state.CodeConflict, state.CodeExpired:
		code = api.CodeConflict
	}
	return api.Errorf(code, "%s", e.Message)
}

func asError(err error) *api.Error {
	var e *api.Error
	var fe *cluster.FieldError
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &fe):
		return &api.Error{Code: api.CodeInvalid, Field: fe.Field, Message: fe.Reason, Hint: fe.Hint}
	case errors.Is(err, context.DeadlineExceeded):
		return api.Errorf(api.CodeUnavailable, "%v", err).WithHint("try again; `muster status` says what is wrong")
	}
	return api.Errorf(api.CodeInternal, "%v", err)
}

func writeError(w http.ResponseWriter, e *api.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Status())
	_ = json.NewEncoder(w).Encode(api.ErrorBody{Error: e}) // the caller is gone: nobody to tell
}

// lines streams JSON values, one a line, each flushed.
type lines struct {
	enc   *json.Encoder
	flush func()
}

func (c *call) lines() *lines {
	c.w.Header().Set("Content-Type", "application/x-ndjson")
	c.w.WriteHeader(http.StatusOK)
	out := newPatient(c.w)
	l := &lines{enc: json.NewEncoder(out), flush: func() { _ = out.FlushError() }}
	l.flush()
	return l
}

func (l *lines) send(v any) error {
	if err := l.enc.Encode(v); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	l.flush()
	return nil
}
