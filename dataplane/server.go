package dataplane

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"sync"
	"syscall"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/musterhq/muster/lb/proxy"
)

const (
	// reportEvery is how often an agent hears that the data plane is there.
	reportEvery = 2 * time.Second
	// lookEvery is how often it is looked at whether there is something to report.
	lookEvery = 500 * time.Millisecond
	// writeLimit is how long an agent may leave a message unread.
	writeLimit = 5 * time.Second
	// retireLimit is how long connections of a process that was followed by
	// another may stay open.
	retireLimit = time.Hour
)

// Config of the process.
type Config struct {
	Dir     string // where the last table is kept
	Socket  string // path, for the agent
	Version string
	// Program is the path of the program that SIGHUP has go on, and Args its
	// command line: this process's, without InheritFlag.
	Program string
	Args    []string
	Inherit bool // this process follows another one
	// Alone ends the process once this host is in no cluster; otherwise it waits
	// for the next table.
	Alone    bool
	MaxTotal int  // connections open at once on all ports; 0: no limit
	Networks bool // take part in the networks across hosts
	Logger   *slog.Logger
	Notify   func(state string) // tells the service manager (sd_notify(3)); nil: there is none
}

// server is the process around a Plane.
type server struct {
	cfg     Config
	log     *slog.Logger
	plane   *Plane
	keeper  *keeper
	control *net.UnixListener
	own     os.FileInfo // of the socket, as this process or those before it made it

	orders chan order
	mu     sync.Mutex
	agents map[net.Conn]bool
	// news is closed when another table is served, and made anew.
	news chan struct{}
}

// Run serves traffic until ctx ends, or another process goes on with it.
// SIGHUP has the program that is installed now go on.
func Run(ctx context.Context, cfg Config) error {
	s := &server{cfg: cfg, log: cfg.Logger, keeper: newKeeper(cfg.Dir, cfg.Logger), orders: make(chan order), agents: map[net.Conn]bool{}, news: make(chan struct{})}
	var legacy *heritage
	if cfg.Inherit {
		var err error
		if legacy, err = inherit(); err != nil {
			return err
		}
	}
	if err := s.open(legacy); err != nil {
		return err
	}
	var jobs sync.WaitGroup
	defer jobs.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// An order that is carried out while ctx ends is written all the same.
	keeping, kept := context.WithCancel(context.WithoutCancel(ctx))
	defer kept()
	jobs.Go(func() { s.keeper.run(keeping) })
	jobs.Go(func() { s.accept(ctx) })
	defer s.hangUp()
	s.log.Info("data plane is up", "version", cfg.Version, "socket", cfg.Socket, "pid", os.Getpid())
	return s.serve(ctx)
}

// open serves what the process before this one did, or the table on disk.
func (s *server) open(legacy *heritage) error {
	plane := PlaneConfig{MaxTotal: s.cfg.MaxTotal, Logger: s.log}
	s.openNetworks(&plane, legacy)
	if legacy == nil {
		l, err := listenControl(s.cfg.Socket)
		if err != nil {
			return err
		}
		s.control = l
		s.plane = NewPlane(plane)
		if t := s.keeper.load(); t != nil {
			s.plane.Set(*t)
		}
	} else {
		s.control = legacy.control
		plane.Listen, plane.ListenUDP = legacy.listen, legacy.listenUDP
		s.plane = NewPlane(plane)
		if legacy.table.Node != "" {
			s.plane.Set(legacy.table)
		}
		if err := legacy.accept(); err != nil {
			s.plane.Close()
			return err
		}
	}
	s.control.SetUnlinkOnClose(false)
	var err error
	if s.own, err = os.Stat(s.cfg.Socket); err != nil {
		return fmt.Errorf("look at the data plane's socket: %w", err)
	}
	if s.cfg.Notify != nil {
		s.cfg.Notify(fmt.Sprintf("READY=1\nMAINPID=%d", os.Getpid()))
	}
	return nil
}

// openNetworks has the plane take its part in the networks across hosts.
func (s *server) openNetworks(plane *PlaneConfig, legacy *heritage) {
	if !s.cfg.Networks {
		return
	}
	var tun *os.File
	if legacy != nil {
		tun = legacy.tun
	}
	plane.Networks = OpenNetworks(s.cfg.Dir, tun, s.log)
}

// listenControl opens the socket with a mode that lets only its owner in.
func listenControl(path string) (*net.UnixListener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("open the data plane's socket: %w", err)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("open the data plane's socket: another data plane listens on %s; stop it or use another --socket", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open the data plane's socket: %w", err)
	}
	old := syscall.Umask(0o177)
	defer syscall.Umask(old)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("open the data plane's socket: %w", err)
	}
	return l, nil
}

// serve carries out what agents order.
func (s *server) serve(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		replace := ""
		select {
		case <-ctx.Done():
			s.plane.Close()
			s.unlink()
			return nil
		case <-hup:
			replace = s.cfg.Program
		case o := <-s.orders:
			if s.obey(o); o.Clear && s.cfg.Alone {
				s.log.Info("this host is in no cluster: the data plane ends")
				s.plane.endNetworks(true)
				s.unlink()
				return nil
			}
			replace = o.Replace
		case <-look.C:
			s.plane.tend()
			if !s.reachable() {
				s.log.Warn("the data plane's socket is gone: nobody can reach this process, so it ends", "socket", s.cfg.Socket)
				s.plane.Close()
				return nil
			}
		}
		if replace != "" {
			if err := s.succeed(ctx, replace); err != nil {
				s.log.Error("the data plane could not be replaced; it goes on as it is", "error", err)
				continue
			}
			s.hangUp()
			s.retire(ctx)
			return nil
		}
	}
}

// retire carries open connections to their end; when ctx ends they have as long as
// with any other data plane that is stopped.
func (s *server) retire(ctx context.Context) {
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), retireLimit)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(proxy.DefaultDrain, cancel) })()
	s.plane.retire(limit)
}

func (s *server) obey(o order) {
	switch {
	case o.Clear:
		s.keeper.keep(nil)
		s.plane.Clear()
	case o.Table != nil:
		if s.plane.set(*o.Table) {
			s.keeper.keep(o.Table)
			s.announce()
		}
	}
}

// announce has agents hear at once what is served now: tasks wait for it.
func (s *server) announce() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.news)
	s.news = make(chan struct{})
}

func (s *server) nextNews() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.news
}

// reachable reports whether the socket is still where agents look for it.
func (s *server) reachable() bool {
	now, err := os.Stat(s.cfg.Socket)
	return err == nil && os.SameFile(now, s.own)
}

// unlink removes the socket unless it is another process's by now.
func (s *server) unlink() {
	if s.reachable() {
		_ = os.Remove(s.cfg.Socket)
	}
}

// hangUp leaves agents to the next process, if there is one.
func (s *server) hangUp() {
	_ = s.control.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.agents {
		_ = c.Close()
	}
}

// accept serves agents. There is one, and for a moment the next.
func (s *server) accept(ctx context.Context) {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	for {
		conn, err := s.control.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.log.Warn("an agent could not be let in", "error", err)
			time.Sleep(lookEvery)
			continue
		}
		s.note(conn, true)
		ctx, cancel := context.WithCancel(ctx)
		jobs.Go(func() {
			defer cancel()
			s.listen(ctx, conn)
		})
		jobs.Go(func() { s.tell(ctx, conn) })
	}
}

func (s *server) note(conn net.Conn, here bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if here {
		s.agents[conn] = true
	} else {
		delete(s.agents, conn)
	}
}

// listen passes on what an agent orders until its connection ends.
func (s *server) listen(ctx context.Context, conn net.Conn) {
	defer func() {
		s.note(conn, false)
		_ = conn.Close()
	}()
	in := newMessages(conn)
	for {
		var o order
		if err := in.next(&o); err != nil {
			s.log.Debug("an agent's connection ended", "error", err)
			return
		}
		select {
		case s.orders <- o:
		case <-ctx.Done():
			return
		}
	}
}

// tell reports to an agent until its connection ends.
func (s *server) tell(ctx context.Context, conn net.Conn) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	out := cbor.NewEncoder(conn)
	var last report
	var said time.Time
	for {
		news := s.nextNews()
		now := s.report()
		if time.Since(said) >= reportEvery || !reflect.DeepEqual(now, last) {
			_ = conn.SetWriteDeadline(time.Now().Add(writeLimit))
			if out.Encode(now) != nil {
				_ = conn.Close()
				return
			}
			last, said = now, time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-news:
		case <-t.C:
		}
	}
}

func (s *server) report() report {
	t := s.plane.served()
	return report{Version: s.cfg.Version, Epoch: t.Input.Epoch, Index: t.Input.Index, Problems: s.plane.Problems(), Stats: s.plane.Stats()}
}
