//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Options say how a lab is made. The zero value is a usable lab of bare Docker
// hosts.
type Options struct {
	// Name is the lab's name in messages and in its default directory.
	Name string
	// Dir is the lab's own directory, on a disk (not a tmpfs). It must be new,
	// empty or left by an earlier lab: Close removes it. Default:
	// muster-lab/Name in the directory for temporary files.
	Dir string
	// Binary is the muster executable; without one StartAgent and CLI fail.
	Binary string
	// Log receives one line a step. Default: nothing is written.
	Log io.Writer
	// SmallDisk, in bytes, puts the agent's data directory of each host on a
	// file system of its own of that size, so that it can be filled. 0 leaves
	// it on the lab's disk.
	SmallDisk int64
	// LoopDisk makes that file system one on a (pretended) disk rather than in
	// memory, so that it can hang.
	LoopDisk bool
	// Memory, in bytes, is what each host says it has. What of it is in use is
	// measured in any case. 0 is what the machine has.
	Memory int64
	// DockerArgs are added to the command line of every dockerd.
	DockerArgs []string
}

// Lab is a set of Docker hosts that share one bridge.
type Lab struct {
	Dir string // the lab's directory

	opts    Options
	lock    *os.File
	begun   time.Time
	cgroups cgroups
	http    *http.Client

	life      context.Context // ended by Close
	end       context.CancelFunc
	processes sync.WaitGroup // one per process whose end has not been collected
	feed      feeder

	logging sync.Mutex // held around a write to opts.Log

	mu    sync.Mutex
	hosts []*Host
	// examples are the archives of the example programs that were built, by name.
	examples map[string]string
}

// New waits for the machine-wide lock, sweeps away what an interrupted lab left,
// and makes the bridge. The caller must Close the lab; ctx bounds New alone.
func New(ctx context.Context, opts Options) (*Lab, error) {
	if err := Available(); err != nil {
		return nil, err
	}
	if opts.Name == "" {
		opts.Name = "lab"
	}
	if opts.Log == nil {
		opts.Log = io.Discard
	}
	if opts.Binary != "" {
		path, err := executable(opts.Binary)
		if err != nil {
			return nil, fmt.Errorf("make the lab: %w", err)
		}
		opts.Binary = path
	}
	dir, err := labDir(opts)
	if err != nil {
		return nil, err
	}
	lock, err := acquire(ctx, opts.Log)
	if err != nil {
		return nil, err
	}
	l := &Lab{
		Dir: dir, opts: opts, lock: lock, begun: time.Now(),
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	l.life, l.end = context.WithCancel(context.Background())
	if err := l.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("make the lab: %w", err), l.Close())
	}
	l.logf("lab %s in %s", opts.Name, dir)
	return l, nil
}

func (l *Lab) prepare(ctx context.Context) error {
	if err := sweep(ctx, recordedDir(l.lock)); err != nil {
		return err
	}
	if err := claimDir(l.Dir); err != nil {
		return err
	}
	if err := recordDir(l.lock, l.Dir); err != nil {
		return err
	}
	var err error
	if l.cgroups, err = findCgroups(); err != nil {
		return err
	}
	if err := addBridge(ctx); err != nil {
		return err
	}
	l.feed.start(l.life, l)
	return nil
}

// StartHosts boots n more hosts, several at a time, and returns them when every
// engine answers. After an error the lab still has to be closed.
func (l *Lab) StartHosts(ctx context.Context, n int) ([]*Host, error) {
	hosts, err := l.addHosts(n)
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, h := range hosts {
		g.Go(func() error { return h.Boot(ctx) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	l.logf("%d hosts in %v", n, time.Since(begun).Round(time.Millisecond))
	return hosts, nil
}

func (l *Lab) addHosts(n int) ([]*Host, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.Err() != nil {
		return nil, errors.New("start hosts: the lab is closed")
	}
	if len(l.hosts)+n > maxHosts {
		return nil, fmt.Errorf("start %d hosts: a lab has room for %d", n, maxHosts)
	}
	first := len(l.hosts)
	for i := range n {
		h, err := newHost(l, first+i+1)
		if err != nil {
			return nil, err
		}
		l.hosts = append(l.hosts, h)
	}
	return l.hosts[first:len(l.hosts):len(l.hosts)], nil
}

// Hosts returns all hosts of the lab, dead ones too, in the order of their names.
func (l *Lab) Hosts() []*Host {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]*Host(nil), l.hosts...)
}

// Close ends every process of the lab and removes its links, namespaces, mounts,
// control groups, rules and directory. It works after a partial failure, and a
// second call does nothing.
func (l *Lab) Close() error {
	l.mu.Lock()
	closed, hosts := l.life.Err() != nil, l.hosts
	l.end()
	l.mu.Unlock()
	if closed {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	begun := time.Now()

	l.feed.wait()
	if err := thawAll(l.Dir); err != nil {
		l.logf("%v", err)
	}
	var g errgroup.Group
	for _, h := range hosts {
		g.Go(h.retire)
	}
	err := errors.Join(g.Wait(), sweep(ctx, l.Dir))
	l.processes.Wait()
	if err == nil {
		err = recordDir(l.lock, "")
	}
	l.logf("closed in %v", time.Since(begun).Round(time.Millisecond))
	return errors.Join(err, l.lock.Close())
}

// CloseOnSignal closes the lab when one of the signals arrives (SIGINT and
// SIGTERM when none is named) and then lets the signal end the process as it
// would have. The returned function stops watching and must be called.
func (l *Lab) CloseOnSignal(signals ...os.Signal) (release func()) {
	if len(signals) == 0 {
		signals = []os.Signal{unix.SIGINT, unix.SIGTERM}
	}
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, signals...)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case s := <-arrived:
			if err := l.Close(); err != nil {
				l.logf("close after %v: %v", s, err)
			}
			signal.Reset(signals...)
			_ = unix.Kill(os.Getpid(), s.(unix.Signal))
		case <-quit:
		}
	}()
	return sync.OnceFunc(func() {
		signal.Stop(arrived)
		close(quit)
		<-done
	})
}

// Get fetches url from outside the hosts, over a connection of its own.
func (l *Lab) Get(ctx context.Context, url string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := l.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

func (l *Lab) logf(format string, args ...any) {
	l.logging.Lock()
	defer l.logging.Unlock()
	fmt.Fprintf(l.opts.Log, "%7.2fs %s\n", time.Since(l.begun).Seconds(), fmt.Sprintf(format, args...))
}

// labDir is the directory the lab will own; containers' layers need a disk.
func labDir(opts Options) (string, error) {
	if opts.Dir != "" {
		dir, err := filepath.Abs(opts.Dir)
		if err == nil && onTmpfs(filepath.Dir(dir)) {
			err = fmt.Errorf("lab directory %s is on a tmpfs: choose one on a disk", dir)
		}
		return dir, err
	}
	tmp := os.TempDir()
	if onTmpfs(tmp) {
		tmp = "/var/tmp"
	}
	return filepath.Join(tmp, defaultParent, opts.Name), nil
}

func onTmpfs(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && fs.Type == unix.TMPFS_MAGIC
}
