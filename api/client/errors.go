package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"github.com/musterhq/muster/api"
)

// ConnectError says that no agent could be reached.
type ConnectError struct {
	Host   string
	Reason string
	Hint   string
	Err    error
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("connect to %s: %s; %s", e.Host, e.Reason, e.Hint)
}

func (e *ConnectError) Unwrap() error { return e.Err }

func connectError(host string, err error) error {
	e := &ConnectError{Host: host, Err: err}
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		e.Reason = "no agent is running there"
		e.Hint = "start it with: sudo systemctl start muster (or: sudo muster agent)"
	case errors.Is(err, fs.ErrPermission):
		e.Reason = "permission denied"
		e.Hint = "the agent's socket is root's: use sudo"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.EAGAIN):
		e.Reason = "the agent does not answer"
		e.Hint = "look at: journalctl -u muster"
	default:
		e.Reason = err.Error()
		e.Hint = "check the address given with -H or MUSTER_HOST"
	}
	return e
}

// Code is the code of an *api.Error in err's chain, or "".
func Code(err error) api.Code {
	var e *api.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// NotFound reports whether the agent answered that a thing is not there.
func NotFound(err error) bool { return Code(err) == api.CodeNotFound }

// Passing reports whether err may go away by itself: there is no leader at the
// moment, or the connection to the agent broke or could not be made.
func Passing(err error) bool {
	switch Code(err) {
	case api.CodeUnavailable, api.CodeNoQuorum, api.CodeUnknown:
		return true
	case "":
		return lost(err)
	}
	return false
}

// lost reports whether err is of the connection rather than an answer.
func lost(err error) bool {
	var connect *ConnectError
	var system syscall.Errno
	return errors.As(err, &connect) || errors.As(err, &system) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errTimeout)
}

// errorLimit bounds what is read of an error's body, in bytes.
const errorLimit = 64 << 10

// answered turns a failed response into its *api.Error.
func answered(resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, errorLimit))
	var b api.ErrorBody
	if err := json.Unmarshal(body, &b); err == nil && b.Error != nil && b.Error.Code != "" {
		return b.Error
	}
	code := api.CodeInternal
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return api.Errorf(api.CodeInternal, "the agent does not know this call (%s %s)", resp.Request.Method, resp.Request.URL.Path).
			WithHint("compare the builds with: muster version")
	case http.StatusServiceUnavailable:
		code = api.CodeUnavailable
	case http.StatusGatewayTimeout:
		code = api.CodeUnknown
	}
	text := strings.TrimSpace(string(body))
	if text == "" || len(text) > 500 {
		text = http.StatusText(resp.StatusCode)
	}
	return api.Errorf(code, "the agent answered %d: %s", resp.StatusCode, text)
}
