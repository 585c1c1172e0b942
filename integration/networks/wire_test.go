//go:build linux

package networks

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/musterhq/muster/integration/fleet/fleettest"
)

// canary is what is looked for on the wire.
const canary = "canary-in-the-clear"

// TestTheWireIsEncrypted asks from one host's container to others' and looks at
// every packet between hosts; with encryption switched off, the same is seen.
func TestTheWireIsEncrypted(t *testing.T) {
	c := ring.Cluster(t)
	web, _ := deploy(c, "app")
	from := on(c, c.Hosts[0], web)
	url := "http://tasks.api/" + canary // it answers 404, and was asked all the same
	seen := wiretap(c)
	for range 20 {
		_, _ = inside(t.Context(), from, "ask", url)
	}
	hears(c, from, "http://api/", c.Hosts...)
	if n := seen(); n > 0 {
		t.Errorf("%d packets were in the clear", n)
	}
	c.Run(c.Hosts[0], "settings", "encrypt=off")
	t.Cleanup(func() { c.Hosts[0].CLI(context.Background(), "settings", "encrypt=on") })
	hears(c, from, "http://api/", c.Hosts...)
	seen = wiretap(c)
	c.Within(fleettest.Soon, "packets in the clear with encryption off", func(ctx context.Context) error {
		_, _ = inside(ctx, from, "ask", url)
		if seen() == 0 {
			return fmt.Errorf("none was seen")
		}
		return nil
	})
}

// wiretap counts the packets between hosts that have the canary in them.
func wiretap(c *fleettest.Cluster) (seen func() int) {
	c.T.Helper()
	all := uint16(unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK, int(all))
	c.Must(err)
	c.T.Cleanup(func() { _ = unix.Close(fd) })
	c.Must(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20))
	n, buf := 0, make([]byte, 64<<10)
	return func() int {
		for {
			k, _, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				return n
			}
			if bytes.Contains(buf[:k], []byte(canary)) {
				n++
			}
		}
	}
}
