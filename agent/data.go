package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/cluster"
)

// dataDir is the agent's directory:
//
//	format            what a binary must know to open it, see format.go
//	node-id           this host's name in every cluster
//	lock              held while an agent runs on the directory
//	identity/         certificate and key; on voters the cluster key
//	gossip.key        the keys of the gossip ring, the one that encrypts first
//	trust.json        the version of those and of the authorities
//	network.key       the private key of this host's traffic with others
//	members.json      the members last known, to find the cluster again
//	assignments.cbor  what this host should run, to start without a quorum
//	ballast           takes room on a voter's disk, until there is no other
//	consensus/        log and snapshots of a voter
type dataDir struct {
	path   string
	lock   *os.File
	format formatOf
}

func openData(path string) (*dataDir, error) {
	if err := os.MkdirAll(filepath.Join(path, "identity"), 0o700); err != nil {
		return nil, fmt.Errorf("open the data directory: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data directory: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the data directory %s: another agent runs on it; stop that agent or use another --data-dir", path)
		}
		return nil, fmt.Errorf("lock the data directory %s: %w", path, err)
	}
	return &dataDir{path: path, lock: lock}, nil
}

func (d *dataDir) close() { _ = d.lock.Close() }

func (d *dataDir) identityDir() string  { return filepath.Join(d.path, "identity") }
func (d *dataDir) consensusDir() string { return filepath.Join(d.path, "consensus") }

// nodeID is this host's ULID, made once.
func (d *dataDir) nodeID() (cluster.NodeID, error) {
	raw, err := d.read("node-id")
	if err != nil {
		return "", err
	}
	if raw == nil {
		id := ulid.Make().String()
		return cluster.NodeID(id), d.write("node-id", []byte(id+"\n"))
	}
	id, err := ulid.ParseStrict(strings.TrimSpace(string(raw)))
	if err != nil {
		return "", fmt.Errorf("read %s: %w; restore the file, or remove the data directory and join again", filepath.Join(d.path, "node-id"), err)
	}
	return cluster.NodeID(id.String()), nil
}

// read returns a file's content, nil when there is none.
func (d *dataDir) read(name string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(d.path, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the data directory: %w", err)
	}
	return b, nil
}

// write replaces a file so that a crash leaves the old one or the new one.
func (d *dataDir) write(name string, b []byte) error {
	tmp, err := os.CreateTemp(d.path, "."+name+"-*")
	if err != nil {
		return fmt.Errorf("write the data directory: %w", err)
	}
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(d.path, name))
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("write the data directory: %w", err)
	}
	return nil
}

func (d *dataDir) readJSON(name string, v any) (bool, error) {
	b, err := d.read(name)
	if b == nil || err != nil {
		return false, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("read %s: %w", filepath.Join(d.path, name), err)
	}
	return true, nil
}

func (d *dataDir) writeJSON(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return d.write(name, b)
}

// remove deletes files and directories of the data directory.
func (d *dataDir) remove(names ...string) error {
	var errs []error
	for _, n := range names {
		errs = append(errs, os.RemoveAll(filepath.Join(d.path, n)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("clean the data directory: %w", err)
	}
	return nil
}
