package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// fileName holds the last set, so that a host that boots without a quorum runs
// what it should; the environment of containers is in it, hence its mode.
const (
	fileName    = "assignments.cbor"
	fileMode    = 0o600
	fileVersion = 1
	saveRetry   = 5 * time.Second
)

type file struct {
	Version int `cbor:"1,keyasint"`
	Set     Set `cbor:"2,keyasint"`
}

var encoding = func() cbor.EncMode {
	mode, err := cbor.EncOptions{Time: cbor.TimeRFC3339NanoUTC}.EncMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return mode
}()

// load reads the last set; ok is false when there is none.
func load(dir string) (s Set, ok bool, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Set{}, false, fmt.Errorf("open the data directory: %w", err)
	}
	defer root.Close()
	data, err := root.ReadFile(fileName)
	if errors.Is(err, fs.ErrNotExist) {
		return Set{}, false, nil
	}
	if err == nil {
		s, err = decode(data)
	}
	if err != nil {
		return Set{}, false, fmt.Errorf("read the last assignments from %s: %w", fileName, err)
	}
	return s, true, nil
}

func decode(data []byte) (Set, error) {
	var f file
	if err := cbor.Unmarshal(data, &f); err != nil {
		return Set{}, err
	}
	if f.Version != fileVersion {
		return Set{}, fmt.Errorf("its version is %d, this agent knows %d", f.Version, fileVersion)
	}
	return f.Set, nil
}

// save replaces the last set on disk, all of it or nothing.
func save(dir string, s Set) error {
	data, err := encoding.Marshal(file{Version: fileVersion, Set: s})
	if err != nil {
		return fmt.Errorf("encode the assignments: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open the data directory: %w", err)
	}
	defer root.Close()
	const fresh = fileName + ".new"
	if err := writeSynced(root, fresh, data); err != nil {
		return fmt.Errorf("write the assignments: %w", err)
	}
	if err := root.Rename(fresh, fileName); err != nil {
		return fmt.Errorf("replace the assignments: %w", err)
	}
	d, err := root.Open(".")
	if err != nil {
		return fmt.Errorf("sync the data directory: %w", err)
	}
	defer d.Close()
	return d.Sync()
}

func writeSynced(root *os.Root, name string, data []byte) (err error) {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Chmod(fileMode); err != nil {
		return err
	}
	if n, err := f.Write(data); err != nil || n < len(data) {
		return errors.Join(err, io.ErrShortWrite)
	}
	return f.Sync()
}

// keeper saves the newest set beside the work: a slow disk delays no start.
type keeper struct {
	dir  string
	log  *slog.Logger
	news chan struct{}

	mu     sync.Mutex
	newest Set
}

func newKeeper(dir string, log *slog.Logger) *keeper {
	return &keeper{dir: dir, log: log, news: make(chan struct{}, 1)}
}

func (k *keeper) keep(s Set) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.newest = s
	signal(k.news)
}

// run saves until ctx ends; what is unsaved then is saved last.
func (k *keeper) run(ctx context.Context) {
	for {
		select {
		case <-k.news:
		case <-ctx.Done():
			select {
			case <-k.news:
				k.save()
			default:
			}
			return
		}
		if k.save() {
			continue
		}
		signal(k.news)
		select {
		case <-time.After(saveRetry):
		case <-ctx.Done():
		}
	}
}

func (k *keeper) save() bool {
	k.mu.Lock()
	s := k.newest
	k.mu.Unlock()
	if err := save(k.dir, s); err != nil {
		k.log.Warn("the assignments are not on disk; after a reboot without a quorum older ones would run", "error", err)
		return false
	}
	return true
}
