package dataplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/fxamacker/cbor/v2"
	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/lb"
	"github.com/musterhq/muster/lb/proxy"
)

// InheritFlag is the command line's word for a process that follows another one.
const InheritFlag = "--inherit"

const (
	// inheritFD is where such a process finds its predecessor: the first after
	// the standard ones.
	inheritFD = 3
	// perMessage is how many descriptors go in one message; the kernel takes 253
	// (SCM_MAX_FD, unix(7)).
	perMessage = 128
	// successionLimit is how long a successor may take until it serves.
	successionLimit = 15 * time.Second
)

// bequest is a part of what a process leaves to the next. With the Ports go as
// many descriptors, in their order, and with Control one before them.
type bequest struct {
	Control bool      `cbor:"1,keyasint,omitempty"`
	Ports   []lb.Port `cbor:"2,keyasint,omitempty"`
	Table   int       `cbor:"3,keyasint,omitempty"` // bytes of the table, which follows the last part
	Last    bool      `cbor:"4,keyasint,omitempty"`
	// Tun: behind the descriptor of Control there is that of the TUN device.
	Tun bool `cbor:"5,keyasint,omitempty"`
}

// succeed starts a program, gives it the listeners and the table, and returns when
// it serves. Until then, and if that fails, this
// process serves as before.
//
// Descriptors go through a socket instead of exec's list of them: os.File.Fd
// makes them block, for all processes that share them.
func (s *server) succeed(ctx context.Context, program string) error {
	ctx, cancel := context.WithTimeout(ctx, successionLimit)
	defer cancel()
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer func() { _ = ours.Close() }()
	next := exec.Command(program, append(slices.Clone(s.cfg.Args), InheritFlag)...)
	next.Stdout, next.Stderr = os.Stdout, os.Stderr
	next.ExtraFiles = []*os.File{theirs}
	next.SysProcAttr = detached()
	err = next.Start()
	_ = theirs.Close()
	if err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	gone := make(chan error, 1)
	go func() { gone <- next.Wait() }()
	err = s.bequeath(ctx, ours)
	if err == nil {
		s.plane.closeNetworks()
		s.log.Info("another process serves from now on", "pid", next.Process.Pid)
		return nil
	}
	_ = next.Process.Kill()
	if ended := <-gone; ended != nil {
		err = fmt.Errorf("%w (the new process: %w)", err, ended)
	}
	s.plane.resume()
	return err
}

// bequeath hands everything over and waits for the word that it is in use.
func (s *server) bequeath(ctx context.Context, to *net.UnixConn) error {
	stop := context.AfterFunc(ctx, func() { _ = to.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	tun, err := s.plane.handover()
	if err != nil {
		return err
	}
	if tun != nil {
		defer func() { _ = tun.Close() }()
	}
	table, listeners := s.plane.snapshot()
	data, err := cbor.Marshal(table)
	if err != nil {
		return fmt.Errorf("encode the table: %w", err)
	}
	if err := leave(to, s.control, tun, listeners, len(data)); err != nil {
		return fmt.Errorf("hand over the listeners: %w", err)
	}
	if _, err := to.Write(data); err != nil {
		return fmt.Errorf("hand over the table: %w", err)
	}
	var word [1]byte
	if _, err := to.Read(word[:]); err != nil {
		return fmt.Errorf("wait until the new process serves: %w", err)
	}
	return nil
}

// leave hands over all sockets, so many in a message.
func leave(to *net.UnixConn, control syscall.Conn, tun *os.File, listeners []proxy.Listener, table int) error {
	part := bequest{Control: true}
	sockets := []syscall.Conn{control}
	if tun != nil {
		part.Tun, sockets = true, append(sockets, tun)
	}
	for _, l := range listeners {
		if len(sockets) == perMessage {
			if err := send(to, part, sockets); err != nil {
				return err
			}
			part, sockets = bequest{}, nil
		}
		part.Ports, sockets = append(part.Ports, l.Port), append(sockets, l.Socket)
	}
	part.Last, part.Table = true, table
	return send(to, part, sockets)
}

// send writes one part behind its length, with its descriptors.
func send(to *net.UnixConn, part bequest, sockets []syscall.Conn) error {
	var fds []int
	defer func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}()
	for _, s := range sockets {
		fd, err := duplicate(s)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	data, err := cbor.Marshal(part)
	if err != nil {
		return err
	}
	framed := append([]byte{byte(len(data) >> 8), byte(len(data))}, data...)
	_, _, err = to.WriteMsgUnix(framed, unix.UnixRights(fds...), nil)
	return err
}

// heritage is what the process before this one left.
type heritage struct {
	from    *net.UnixConn
	control *net.UnixListener
	tun     *os.File // nil: there is none
	table   Table

	mu    sync.Mutex
	ports map[lb.Port]*os.File // not taken yet
	taken chan struct{}        // closed once all are
}

// inherit takes everything from the process before this one.
func inherit() (*heritage, error) {
	f := os.NewFile(inheritFD, "inherited")
	if f == nil {
		return nil, fmt.Errorf("%s is for the data plane's own use: no process hands anything over", InheritFlag)
	}
	conn, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		return nil, fmt.Errorf("%s is for the data plane's own use: %w", InheritFlag, err)
	}
	from, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s is for the data plane's own use: descriptor %d is no socket of it", InheritFlag, inheritFD), conn.Close())
	}
	h := &heritage{from: from, ports: map[lb.Port]*os.File{}, taken: make(chan struct{})}
	if err := h.receive(); err != nil {
		h.close()
		return nil, fmt.Errorf("take over from the data plane before: %w", err)
	}
	if len(h.ports) == 0 {
		close(h.taken)
	}
	return h, nil
}

func (h *heritage) receive() error {
	_ = h.from.SetDeadline(time.Now().Add(successionLimit))
	for {
		part, fds, err := receivePart(h.from)
		if err != nil {
			return err
		}
		sockets := filesOf(fds)
		if part.Control && len(sockets) > 0 {
			l, err := listenerOf(sockets[0])
			if err != nil {
				return err
			}
			var ok bool
			if h.control, ok = l.(*net.UnixListener); !ok {
				return errors.Join(fmt.Errorf("%T is no socket for agents", l), l.Close())
			}
			sockets = sockets[1:]
		}
		if part.Tun && len(sockets) > 0 {
			h.tun, sockets = sockets[0], sockets[1:]
		}
		if len(part.Ports) != len(sockets) {
			return fmt.Errorf("%d sockets came for %d ports", len(sockets), len(part.Ports))
		}
		for i, p := range part.Ports {
			h.ports[p] = sockets[i]
		}
		if !part.Last {
			continue
		}
		if part.Table < 0 || part.Table > maxMessage {
			return fmt.Errorf("a table of %d bytes", part.Table)
		}
		data := make([]byte, part.Table)
		if err := readFull(h.from, data); err != nil {
			return err
		}
		if h.control == nil {
			return errors.New("the agent's socket is missing")
		}
		return decoding.Unmarshal(data, &h.table)
	}
}

// receivePart reads one part with its descriptors. Nothing that follows is read:
// the kernel ends a read where the next descriptors begin, and the table is read
// by its length.
func receivePart(from *net.UnixConn) (part bequest, fds []int, err error) {
	head, oob := make([]byte, 2), make([]byte, unix.CmsgSpace(4*perMessage))
	n, oobn, _, _, err := from.ReadMsgUnix(head, oob)
	if err != nil {
		return part, nil, err
	}
	if fds, err = descriptors(oob[:oobn]); err != nil {
		return part, nil, err
	}
	if err := readFull(from, head[n:]); err != nil {
		return part, fds, err
	}
	data := make([]byte, int(head[0])<<8|int(head[1]))
	if err := readFull(from, data); err != nil {
		return part, fds, err
	}
	return part, fds, decoding.Unmarshal(data, &part)
}

// listen is the inherited listener of a port, once, and nil for other ports, which
// are opened anew.
func (h *heritage) listen(_, address string) (net.Listener, error) {
	if f := h.take(lb.TCP, address); f != nil {
		return listenerOf(f)
	}
	return nil, nil
}

// listenUDP is the same of UDP. A socket that cannot be used is opened anew, too.
func (h *heritage) listenUDP(address string) *net.UDPConn {
	f := h.take(lb.UDP, address)
	if f == nil {
		return nil
	}
	conn, err := packetsOf(f)
	if err != nil {
		return nil
	}
	return conn
}

func (h *heritage) take(protocol, address string) *os.File {
	_, number, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for p, f := range h.ports {
		if p.Protocol != protocol || strconv.Itoa(int(p.Number)) != number {
			continue
		}
		if delete(h.ports, p); len(h.ports) == 0 {
			close(h.taken)
		}
		return f
	}
	return nil
}

// accept says that this process serves now. What nobody took is closed: it has
// left the table.
func (h *heritage) accept() error {
	select {
	case <-h.taken:
	case <-time.After(time.Second):
	}
	_, err := h.from.Write([]byte{1})
	h.close()
	if err != nil {
		return fmt.Errorf("take over from the data plane before: %w", err)
	}
	return nil
}

func (h *heritage) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.ports {
		_ = f.Close()
	}
	_ = h.from.Close()
}
