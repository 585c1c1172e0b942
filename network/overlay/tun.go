package overlay

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// tunDevice is where TUN devices are made.
const tunDevice = "/dev/net/tun"

// openTUN makes muster0, or takes the one that is there and that no process has.
//
// It outlives this process, with its address and route: were it gone, packets to
// other hosts would take the default route. While no process has it they are
// dropped.
func openTUN() (*os.File, error) {
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", tunDevice, err)
	}
	request, err := unix.NewIfreq(wireGuardLink)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err == nil {
		err = unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the TUN device %s: %w", wireGuardLink, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), tunDevice), nil
}

// isTUN reports whether the file is of muster0, and muster0 is still there.
func isTUN(f *os.File) bool {
	request, err := unix.NewIfreq("")
	if err != nil {
		return false
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return false
	}
	failed := conn.Control(func(fd uintptr) { err = unix.IoctlIfreq(int(fd), unix.TUNGETIFF, request) })
	return failed == nil && err == nil && request.Name() == wireGuardLink
}

// duplicate is another descriptor of the same open file. File.Fd would do, but
// makes it block, for all that have it.
func duplicate(f *os.File) (int, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	copied := -1
	failed := conn.Control(func(fd uintptr) { copied, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) })
	return copied, errors.Join(failed, err)
}

func (h *host) closeTUN() {
	if h.tun != nil {
		_ = h.tun.Close() // nothing is written through it
		h.tun = nil
	}
}
