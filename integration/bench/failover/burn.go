//go:build linux

package main

import (
	"context"
	"os/exec"
	"runtime"
)

// burn keeps every core busy for two minutes: as many loops outside as there are
// cores, and one in each host.
func (b *bench) burn(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, h := range b.fleet.Hosts {
		stop, err := h.Busy(ctx, 1)
		if err != nil {
			return err
		}
		defer stop()
	}
	for range runtime.NumCPU() {
		loop := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
		if err := loop.Start(); err != nil {
			return err
		}
		// It ends with ctx, by a signal: that is no news.
		defer func() {
			cancel()
			_ = loop.Wait()
		}()
	}
	return wait(ctx, busyFor)
}
