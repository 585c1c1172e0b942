package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/musterhq/muster/lb"
)

// Problem is why a published port does not serve on this node as it should.
// The proxy keeps trying; a problem that is over is no longer listed.
type Problem struct {
	Port    lb.Port
	Message string // for people: what is wrong and what to do
	Since   time.Time
	Err     error // nil when the port is merely full
}

func explainListen(p lb.Port, addr string, err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("port %d is in use by another process on this node; stop it or publish the service on another port", p.Number)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("port %d may not be opened by this user on this node; run the agent as root or with CAP_NET_BIND_SERVICE", p.Number)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf("port %d cannot be opened: this node has no address %s; correct the bind address", p.Number, addr)
	}
	return fmt.Sprintf("port %d cannot be opened on this node: %v", p.Number, err)
}

func explainAccept(p lb.Port, err error) string {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return fmt.Sprintf("port %d takes no connections on this node: too many open files; raise the agent's limit (LimitNOFILE)", p.Number)
	}
	return fmt.Sprintf("port %d takes no connections on this node: %v", p.Number, err)
}

func explainFull(p lb.Port, limit int) string {
	return fmt.Sprintf("port %d has %d open connections on this node, the most it takes; further clients wait", p.Number, limit)
}

func explainAllFull(p lb.Port, limit int) string {
	return fmt.Sprintf("port %d has clients that wait: the published ports of this node have %d open connections, "+
		"the most that the agent's limit of open files allows; raise it (LimitNOFILE)", p.Number, limit)
}
