package consensus

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// onDisk opens a lone node in dir with a real listener.
func onDisk(t testing.TB, dir string) (*Store, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tuning := TuningFor(0)
	tuning.Heartbeat, tuning.Election, tuning.Lease = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	return Open(Config{
		NodeID: "A", DataDir: dir, Listener: l, Tuning: tuning,
		Dial: func(ctx context.Context, _ cluster.NodeID, addr string, _ time.Duration) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", addr)
		},
		Addr: func(cluster.NodeID) (string, bool) { return l.Addr().String(), true },
	})
}

// written makes a store with n tokens in dir, and closes it. With snapshot set
// the log behind the snapshot is cut.
func written(t *testing.T, dir string, n int, snapshot bool) {
	t.Helper()
	s, err := onDisk(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	r := &ring{t: t, stores: map[cluster.NodeID]*Store{"A": s}}
	defer r.closeAll()
	if err := s.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.leader()
	r.must(s, state.Init{Identity: cluster.Identity{ID: "C", Epoch: 1, CA: []byte("ca")}, Node: cluster.Node{ID: "A", Name: "a", Address: "10.0.0.1"}})
	for i := range n {
		r.must(s, token(i))
	}
	if snapshot {
		conf := s.raft.ReloadableConfig()
		conf.TrailingLogs = 1
		if err := s.raft.ReloadConfig(conf); err != nil {
			t.Fatal(err)
		}
		if err := s.raft.Snapshot().Error(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRestartFromDisk(t *testing.T) {
	for _, snapshot := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "consensus")
		written(t, dir, 3, snapshot)
		s, err := onDisk(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		r := &ring{t: t, stores: map[cluster.NodeID]*Store{"A": s}}
		r.agree()
		if _, ok := s.View().Token("t0002"); !ok {
			t.Errorf("snapshot %v: the state is not what it was", snapshot)
		}
		r.must(s, token(3))
		r.closeAll()
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "consensus")
	s, err := onDisk(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := onDisk(t, dir); !errors.Is(err, ErrLocked) {
		t.Errorf("a second open: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, boltFile)); err != nil {
		t.Errorf("the refused open touched the files: %v", err)
	}
}

func TestDamagedStoreIsSetAside(t *testing.T) {
	snapshots := func(dir, file string) string {
		found, _ := filepath.Glob(filepath.Join(dir, "snapshots", "*", file))
		return found[0]
	}
	overwrite := func(t *testing.T, path string, off int64, b []byte) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(b, off); err != nil {
			t.Fatal(err)
		}
	}
	for name, damage := range map[string]func(t *testing.T, dir string) error{
		"no bolt file at all": func(t *testing.T, dir string) error {
			return os.WriteFile(filepath.Join(dir, boltFile), []byte("hello"), 0o600)
		},
		"both meta pages": func(t *testing.T, dir string) error {
			overwrite(t, filepath.Join(dir, boltFile), 0, make([]byte, 8192))
			return nil
		},
		"pages of rubbish": func(t *testing.T, dir string) error {
			info, err := os.Stat(filepath.Join(dir, boltFile))
			overwrite(t, filepath.Join(dir, boltFile), 8192, []byte(strings.Repeat("rubbish!", int(info.Size()-8192)/8)))
			return err
		},
		"cut short": func(t *testing.T, dir string) error {
			return os.Truncate(filepath.Join(dir, boltFile), 4*4096)
		},
		"the log is gone": func(t *testing.T, dir string) error {
			return os.Remove(filepath.Join(dir, boltFile))
		},
		"the only snapshot": func(t *testing.T, dir string) error {
			overwrite(t, snapshots(dir, "state.bin"), 10, []byte{1, 2, 3, 4})
			return nil
		},
		"the snapshot is gone": func(t *testing.T, dir string) error {
			return os.RemoveAll(filepath.Join(dir, "snapshots"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "consensus")
			written(t, dir, 300, true)
			if err := damage(t, dir); err != nil {
				t.Fatal(err)
			}
			_, err := onDisk(t, dir)
			var broken *BrokenError
			if !errors.As(err, &broken) || !errors.Is(err, ErrStoreBroken) {
				t.Fatalf("open: %v", err)
			}
			if !strings.HasPrefix(broken.Aside, dir+".broken-") {
				t.Errorf("set aside as %q", broken.Aside)
			}
			if _, err := os.Stat(filepath.Join(broken.Aside, "snapshots")); err != nil && name != "the snapshot is gone" {
				t.Errorf("the files are not kept: %v", err)
			}
			s, err := onDisk(t, dir)
			if err != nil {
				t.Fatalf("open after it was set aside: %v", err)
			}
			if !s.Empty() {
				t.Error("the new store is not empty")
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRefusedByTheSystemIsNotDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "consensus")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := onDisk(t, dir)
	if err == nil || errors.Is(err, ErrStoreBroken) || !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("open where a file is: %v", err)
	}
}

func TestNewerSnapshotIsNotDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRing(t)
		a := r.start("A")
		sink, err := a.stores.snaps.Create(1, 100, 9, a.raft.GetConfiguration().Configuration(), 1, a.trans)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sink.Write([]byte("a snapshot from the future")); err != nil {
			t.Fatal(err)
		}
		if err := sink.Close(); err != nil {
			t.Fatal(err)
		}
		r.close("A")
		if _, err := Open(r.config("A")); !errors.Is(err, ErrIncompatible) {
			t.Errorf("open: %v", err)
		}
	})
}

func TestMeasureFsync(t *testing.T) {
	dir := t.TempDir()
	took, err := MeasureFsync(dir)
	if err != nil || took <= 0 {
		t.Fatalf("%v, %v", took, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := MeasureFsync(filepath.Join(dir, "absent")); err == nil {
		t.Error("no error for a directory that does not exist")
	}
}

func TestMeasuringAHungDiskEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		begun := time.Now()
		_, err := measure("/data", fsyncLimit, func(string) (time.Duration, error) {
			<-release
			return 0, nil
		})
		if !errors.Is(err, ErrStoreHung) || !strings.Contains(err.Error(), "/data") || time.Since(begun) != fsyncLimit {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		close(release)
		_, err = measure("/data", fsyncLimit, func(string) (time.Duration, error) { return 0, syscall.ENOSPC })
		if !errors.Is(err, ErrStoreFull) {
			t.Errorf("no room: %v", err)
		}
	})
}

func TestTuningFollowsTheDisk(t *testing.T) {
	for fsync, want := range map[time.Duration]time.Duration{
		0: time.Second, 50 * time.Millisecond: time.Second, 100 * time.Millisecond: time.Second,
		200 * time.Millisecond: 2 * time.Second, 400 * time.Millisecond: 4 * time.Second, time.Minute: 10 * time.Second,
	} {
		got := TuningFor(fsync)
		if got.Election != want || got.Heartbeat != want || got.Lease != want {
			t.Errorf("fsync %v: %+v, want %v", fsync, got, want)
		}
		if 5*fsync >= got.Election && fsync < 2*time.Second {
			t.Errorf("fsync %v: an election of %v cannot succeed", fsync, got.Election)
		}
	}
}
