package dataplane

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// socketPair is a connection between this process and one that it starts.
func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	own := os.NewFile(uintptr(fds[0]), "successor")
	theirs = os.NewFile(uintptr(fds[1]), "predecessor")
	conn, err := net.FileConn(own)
	_ = own.Close()
	if err != nil {
		_ = theirs.Close()
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	return conn.(*net.UnixConn), theirs, nil
}

// detached keeps a process running when those end that started it.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// duplicate is another descriptor of a socket, which the caller closes.
func duplicate(s syscall.Conn) (fd int, err error) {
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(of uintptr) { fd, failed = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) })
	if err == nil {
		err = os.NewSyscallError("fcntl", failed)
	}
	return fd, err
}

// descriptors are those that came with a message.
func descriptors(oob []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, os.NewSyscallError("read descriptors", err)
	}
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return fds, os.NewSyscallError("read descriptors", err)
		}
		fds = append(fds, got...)
	}
	return fds, nil
}

// filesOf makes files of descriptors.
func filesOf(fds []int) (files []*os.File) {
	for _, fd := range fds {
		unix.CloseOnExec(fd)
		files = append(files, os.NewFile(uintptr(fd), "inherited"))
	}
	return files
}

// listenerOf makes a listener of a socket, which it closes.
func listenerOf(f *os.File) (net.Listener, error) {
	l, err := net.FileListener(f)
	_ = f.Close()
	return l, err
}

// packetsOf makes a UDP socket of one, which it closes.
func packetsOf(f *os.File) (*net.UDPConn, error) {
	c, err := net.FilePacketConn(f)
	_ = f.Close()
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*net.UDPConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%T is no UDP socket", c), c.Close())
	}
	return conn, nil
}

func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	return err
}
