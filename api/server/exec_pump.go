package server

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/coder/websocket"

	"github.com/musterhq/muster/api"
)

// pumpExec passes frames between a user and the node that runs the command, one
// at a time in each direction. It returns when the user is gone, or when the
// node is and everything it sent has been passed on.
func pumpExec(ctx context.Context, user, node *websocket.Conn, name string) {
	ctx, cancel := context.WithCancel(ctx)
	var input sync.WaitGroup
	defer input.Wait()
	defer cancel() // which closes both
	input.Go(func() {
		if readFailed, _ := passFrames(ctx, user, node); readFailed {
			cancel()
		}
		// A node that takes no more input may have output under way.
	})
	readFailed, last := passFrames(ctx, node, user)
	if !readFailed {
		return
	}
	if last != api.ExecExit && last != api.ExecError && ctx.Err() == nil {
		e := api.Errorf(api.CodeUnavailable, "the connection to node %s broke; the command may still run there", name).
			WithHint("`muster node ls` shows whether the node is ready")
		if data, err := json.Marshal(e); err == nil {
			_ = user.Write(ctx, websocket.MessageBinary, append([]byte{api.ExecError}, data...)) // the user is gone: nobody to tell
		}
	}
	_ = user.Close(websocket.StatusNormalClosure, "")
}

// passFrames copies until one side fails; last is the kind of the last frame.
func passFrames(ctx context.Context, from, to *websocket.Conn) (readFailed bool, last byte) {
	last = 0xff // no kind
	for {
		kind, frame, err := from.Read(ctx)
		if err != nil {
			return true, last
		}
		if err := to.Write(ctx, kind, frame); err != nil {
			return false, last
		}
		if len(frame) > 0 {
			last = frame[0]
		}
	}
}
