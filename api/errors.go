package api

import (
	"fmt"
	"net/http"

	"github.com/musterhq/muster/cluster"
)

// Code classifies an error for programs.
type Code string

// Error codes and their HTTP status.
const (
	CodeInvalid      Code = "invalid"      // 400: bad input; Field names it
	CodeUnauthorized Code = "unauthorized" // 401: no or unusable certificate
	CodeForbidden    Code = "forbidden"    // 403: known, but not allowed
	CodeRemoved      Code = "removed"      // 403: the caller's node is not a member any more
	CodeNotFound     Code = "not_found"    // 404
	CodeConflict     Code = "conflict"     // 409: clashes with what is there
	CodeNoQuorum     Code = "no_quorum"    // 503: writes wait for a majority
	CodeNotMember    Code = "not_a_member" // 409: the agent is idle
	CodeUnavailable  Code = "unavailable"  // 503: a part does not answer
	CodeUnknown      Code = "unknown"      // 504: may or may not have taken effect
	CodeTooLarge     Code = "too_large"    // 413
	CodeInternal     Code = "internal"     // 500
)

var statusOf = map[Code]int{
	CodeInvalid: http.StatusBadRequest, CodeUnauthorized: http.StatusUnauthorized, CodeForbidden: http.StatusForbidden, CodeRemoved: http.StatusForbidden,
	CodeNotFound: http.StatusNotFound, CodeConflict: http.StatusConflict, CodeNoQuorum: http.StatusServiceUnavailable,
	CodeNotMember: http.StatusConflict, CodeUnavailable: http.StatusServiceUnavailable, CodeUnknown: http.StatusGatewayTimeout,
	CodeTooLarge: http.StatusRequestEntityTooLarge, CodeInternal: http.StatusInternalServerError,
}

// Error is what every failed call answers: what was attempted and why it
// failed in Message, what to do next in Hint.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Lasting: there has been no leader for longer than an election takes, so that
	// trying again at once is in vain.
	Lasting bool `json:"lasting,omitempty"`
	// Try names nodes that may do what this one does not, for programs.
	Try []cluster.NodeID `json:"try,omitempty"`
}

// ErrorBody is the JSON body of a failed call.
type ErrorBody struct {
	Error *Error `json:"error"`
}

func (e *Error) Error() string {
	s := e.Message
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Status is the HTTP status of e.
func (e *Error) Status() int {
	if s, ok := statusOf[e.Code]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// Errorf makes an error without a hint.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithHint returns e with what to do next.
func (e *Error) WithHint(hint string) *Error {
	c := *e
	c.Hint = hint
	return &c
}
