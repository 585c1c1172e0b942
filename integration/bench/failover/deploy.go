//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/integration/lab"
)

// sizes of the stacks that are deployed.
var sizes = []int{6, 30, 60}

// deploys times a deploy of each size, and right after it the bare engines.
func deploys(ctx context.Context, b *bench) error {
	b.figures.Deploy, b.figures.DockerFloor = make(map[string]float64), make(map[string]float64)
	for _, n := range sizes {
		if err := b.remove(ctx); err != nil {
			return err
		}
		begun := time.Now()
		if err := b.deploy(ctx, n); err != nil {
			return err
		}
		if err := awaitRunning(ctx, n, b.fleet.Hosts...); err != nil {
			return err
		}
		taken := time.Since(begun)
		if err := b.remove(ctx); err != nil {
			return err
		}
		floor, err := b.floor(ctx, n)
		if err != nil {
			return err
		}
		b.figures.Deploy[strconv.Itoa(n)] = taken.Seconds()
		b.figures.DockerFloor[strconv.Itoa(n)] = floor.Seconds()
		tell("deploy of %d: %.2f s, bare engines %.2f s", n, taken.Seconds(), floor.Seconds())
	}
	return nil
}

// floor starts n containers like the stack's on the bare engines, the same
// number on each, one at a time for each engine, and removes them.
func (b *bench) floor(ctx context.Context, n int) (time.Duration, error) {
	share := n / len(b.fleet.Hosts)
	begun := time.Now()
	err := eachHost(ctx, b.fleet.Hosts, func(ctx context.Context, h *lab.Host) error {
		if err := call(ctx, h, http.MethodPost, "/networks/create", map[string]any{"Name": "floor"}); err != nil {
			return err
		}
		for i := range share {
			name := fmt.Sprintf("floor-%d", i)
			if err := call(ctx, h, http.MethodPost, "/containers/create?name="+name, floorContainer); err != nil {
				return err
			}
			if err := call(ctx, h, http.MethodPost, "/containers/"+name+"/start", nil); err != nil {
				return err
			}
		}
		return nil
	})
	taken := time.Since(begun)
	if err != nil {
		return 0, err
	}
	return taken, eachHost(ctx, b.fleet.Hosts, func(ctx context.Context, h *lab.Host) error {
		for i := range share {
			if err := call(ctx, h, http.MethodDelete, fmt.Sprintf("/containers/floor-%d?force=1", i), nil); err != nil {
				return err
			}
		}
		return call(ctx, h, http.MethodDelete, "/networks/floor", nil)
	})
}

// floorContainer asks of the engine what a task of the stack does.
var floorContainer = map[string]any{
	"Image":        lab.Hello,
	"ExposedPorts": map[string]any{"80/tcp": struct{}{}},
	"HostConfig": map[string]any{
		"NetworkMode":  "floor",
		"PortBindings": map[string]any{"80/tcp": []map[string]string{{"HostPort": ""}}},
		"LogConfig":    map[string]any{"Type": "json-file", "Config": map[string]string{"max-size": "10m", "max-file": "3"}},
	},
}

func eachHost(ctx context.Context, hosts []*lab.Host, do func(context.Context, *lab.Host) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range hosts {
		g.Go(func() error { return do(ctx, h) })
	}
	return g.Wait()
}

// call makes a call to the engine that must succeed.
func call(ctx context.Context, h *lab.Host, method, path string, body any) error {
	status, answer, err := h.DockerAPI(ctx, method, path, body)
	if err != nil {
		return fmt.Errorf("%s %s on %s: %w", method, path, h.Name, err)
	}
	if status >= http.StatusBadRequest {
		var said struct{ Message string }
		_ = json.Unmarshal(answer, &said)
		return fmt.Errorf("%s %s on %s: %d %s", method, path, h.Name, status, said.Message)
	}
	return nil
}
