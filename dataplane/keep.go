package dataplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/fxamacker/cbor/v2"
)

// keptFile holds the last table, below the data directory.
const keptFile = "dataplane.cbor"

// keeper writes the newest table to disk, apart from who serves: a disk that
// hangs holds up no traffic.
type keeper struct {
	path   string
	log    *slog.Logger
	newest atomic.Pointer[Table] // nil: none is to be kept
	wake   chan struct{}
}

func newKeeper(dir string, log *slog.Logger) *keeper {
	return &keeper{path: filepath.Join(dir, keptFile), log: log, wake: make(chan struct{}, 1)}
}

// load reads the last table, nil where there is none that can be used.
func (k *keeper) load() *Table {
	data, err := os.ReadFile(k.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	t := &Table{}
	if err == nil {
		err = decoding.Unmarshal(data, t)
	}
	if err != nil {
		k.log.Warn("the table that was kept cannot be used: nothing is served until the agent has one", "file", k.path, "error", err)
		return nil
	}
	return t
}

// keep has a table written, or with nil forgotten; it never blocks.
func (k *keeper) keep(t *Table) {
	k.newest.Store(t)
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run writes until ctx ends, what was to be kept before that included.
func (k *keeper) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-k.wake:
			k.writeNewest()
		}
	}
	select {
	case <-k.wake:
		k.writeNewest()
	default:
	}
}

func (k *keeper) writeNewest() {
	if err := k.write(k.newest.Load()); err != nil {
		k.log.Warn("the table is not on disk: after a restart of the data plane the agent has to bring it", "error", err)
	}
}

// write replaces the file so that a crash leaves the old one or the new one.
func (k *keeper) write(t *Table) error {
	if t == nil {
		if err := os.Remove(k.path); !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	data, err := cbor.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode the table: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(k.path), "."+keptFile+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), k.path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}
