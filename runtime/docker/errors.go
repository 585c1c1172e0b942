package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/musterhq/muster/runtime"
)

// portBusy are the engine's and the kernel's words for a host port that is
// taken; the engine sends them as internal errors.
var portBusy = []string{"port is already allocated", "address already in use", "ports are not available"}

// addressBusy are the engine's words for addresses that are taken, of a container
// and of a network; their kinds say nothing.
var addressBusy = []string{
	"Address already in use", "Pool overlaps with other one", "networks have same bridge name", "networks have overlapping IPv4",
}

// classify wraps err with what was attempted and the port's sentinel for it.
// The caller's own cancellation stays context.Canceled; a deadline, the
// caller's or the class's, means that the engine does not answer.
func classify(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("%s: %w", what, context.Canceled)
	}
	if s := sentinel(err); s != nil && !errors.Is(err, s) {
		return fmt.Errorf("%s: %w: %w", what, s, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// sentinel is the port's error for what the engine or the client said; nil
// where the port has none.
func sentinel(err error) error {
	for _, s := range []error{
		runtime.ErrNotFound, runtime.ErrConflict, runtime.ErrPortBusy, runtime.ErrAddressBusy,
		runtime.ErrRefused, runtime.ErrEngine, runtime.ErrInvalid,
	} {
		if errors.Is(err, s) {
			return s
		}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		client.IsErrConnectionFailed(err), cerrdefs.IsUnavailable(err):
		return runtime.ErrEngine
	}
	for _, text := range portBusy {
		if strings.Contains(err.Error(), text) {
			return runtime.ErrPortBusy
		}
	}
	for _, text := range addressBusy {
		if strings.Contains(err.Error(), text) {
			return runtime.ErrAddressBusy
		}
	}
	switch {
	case cerrdefs.IsNotFound(err):
		return runtime.ErrNotFound
	case cerrdefs.IsConflict(err):
		return runtime.ErrConflict
	case cerrdefs.IsInvalidArgument(err):
		return runtime.ErrInvalid
	}
	return nil
}
