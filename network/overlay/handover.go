package overlay

import (
	"fmt"
	"os"
)

// Handover stops this process's WireGuard and gives away its TUN device, for the
// Config of the process that follows. Its interface stays up, with its address and
// routes, and keeps what it is given until the successor reads it. From here on
// this Device does nothing, until Resume.
//
// There is no file where WireGuard is the kernel's or does not run.
func (d *Device) Handover() (*os.File, error) {
	d.work.Lock()
	defer d.work.Unlock()
	d.handed = true
	d.host.stopWireGuard()
	if d.host.tun == nil {
		return nil, nil
	}
	fd, err := duplicate(d.host.tun)
	if err != nil {
		d.handed = false
		d.poke()
		return nil, fmt.Errorf("hand over %s: %w", wireGuardLink, err)
	}
	return os.NewFile(uintptr(fd), tunDevice), nil
}

// Resume goes on where Handover stopped, for a successor that failed and has
// ended.
func (d *Device) Resume() {
	d.work.Lock()
	d.handed = false
	d.work.Unlock()
	d.poke()
}
