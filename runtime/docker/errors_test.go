package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/musterhq/muster/runtime"
)

func TestClassify(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want error // nil: no sentinel
	}{
		"deadline":        {context.DeadlineExceeded, runtime.ErrEngine},
		"broken":          {fmt.Errorf("read: %w", io.ErrUnexpectedEOF), runtime.ErrEngine},
		"unavailable":     {cerrdefs.ErrUnavailable, runtime.ErrEngine},
		"absent":          {cerrdefs.ErrNotFound, runtime.ErrNotFound},
		"name":            {cerrdefs.ErrConflict, runtime.ErrConflict},
		"bad spec":        {cerrdefs.ErrInvalidArgument, runtime.ErrInvalid},
		"allocated port":  {errors.New("driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated"), runtime.ErrPortBusy},
		"kernel's port":   {errors.New("listen tcp4 0.0.0.0:80: bind: address already in use"), runtime.ErrPortBusy},
		"own refusal":     {fmt.Errorf("%w: no", runtime.ErrRefused), runtime.ErrRefused},
		"something else":  {errors.New("disk quota exceeded"), nil},
		"internal failed": {cerrdefs.ErrInternal, nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := classify(t.Context(), "try it", tc.err)
			if tc.want != nil && !errors.Is(err, tc.want) {
				t.Errorf("classify(%v) = %v, want %v in it", tc.err, err, tc.want)
			}
			if tc.want == nil && sentinel(err) != nil {
				t.Errorf("classify(%v) = %v, want no sentinel", tc.err, err)
			}
			if !errors.Is(err, tc.err) {
				t.Errorf("classify(%v) = %v lost its cause", tc.err, err)
			}
		})
	}
}

func TestClassifyKeepsTheCallersCancellation(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := classify(ctx, "try it", errors.New("connection reset"))
	if !errors.Is(err, context.Canceled) || errors.Is(err, runtime.ErrEngine) {
		t.Errorf("classify = %v, want context.Canceled and not ErrEngine", err)
	}
}
