package agent

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/consensus"
)

func TestProposeError(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want api.Code
	}{
		{"not the leader", &consensus.NotLeaderError{LeaderID: "B"}, api.CodeUnavailable},
		{"no leader", &consensus.NotLeaderError{}, api.CodeUnavailable},
		{"too large", &consensus.TooLargeError{Size: 2, Max: 1}, api.CodeTooLarge},
		{"leadership was lost meanwhile", consensus.ErrUnknown, api.CodeUnknown},
		{"no answer in time", fmt.Errorf("%w: %w", consensus.ErrUnknown, context.DeadlineExceeded), api.CodeUnknown},
		{"closed", consensus.ErrClosed, api.CodeUnavailable},
		{"anything else", errors.New("x"), api.CodeUnavailable},
	} {
		err := proposeError(fmt.Errorf("propose a command: %w", tc.err))
		var e *api.Error
		if !errors.As(err, &e) || e.Code != tc.want {
			t.Errorf("%s: %v, want code %s", tc.name, err, tc.want)
			continue
		}
		if e.Hint == "" && e.Code != api.CodeTooLarge {
			t.Errorf("%s: no hint in %v", tc.name, err)
		}
	}
	if err := proposeError(nil); err != nil {
		t.Errorf("no error became %v", err)
	}
}

// What the other node decided is not asked of the next one; that it could not
// decide is.
func TestIsAnswer(t *testing.T) {
	for code, want := range map[api.Code]bool{
		api.CodeInvalid: true, api.CodeForbidden: true, api.CodeRemoved: true, api.CodeNotFound: true, api.CodeConflict: true, api.CodeTooLarge: true,
		api.CodeUnavailable: false, api.CodeNoQuorum: false, api.CodeUnknown: false, api.CodeInternal: false, api.CodeNotMember: false,
	} {
		if got := isAnswer(fmt.Errorf("call: %w", api.Errorf(code, "x"))); got != want {
			t.Errorf("%s: %v", code, got)
		}
	}
	if isAnswer(errors.New("connection refused")) || isAnswer(nil) {
		t.Error("a broken connection is taken for an answer")
	}
}
