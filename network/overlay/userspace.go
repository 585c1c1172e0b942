package overlay

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	"golang.zx2c4.com/wireguard/tun"
)

// userspaceWireGuard runs in this process, on a TUN device. Only it changes its
// peers, so it remembers them instead of asking.
type userspaceWireGuard struct {
	device   *device.Device
	public   string
	port     uint16
	peers    map[string]peer
	greeting sync.WaitGroup
}

// newUserspaceWireGuard runs on a descriptor of its own, so that the file stays
// open when it ends. It is told when to be up: by itself it would follow the
// interface, with nobody to hear why it failed.
func newUserspaceWireGuard(file *os.File, key Key, port uint16, log *slog.Logger) (wireGuard, error) {
	fd, err := duplicate(file)
	if err != nil {
		return nil, fmt.Errorf("copy the descriptor of %s: %w", wireGuardLink, err)
	}
	t, _, err := tun.CreateUnmonitoredTUNFromFD(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("use the TUN device %s: %w", wireGuardLink, err)
	}
	quiet := &device.Logger{
		Verbosef: device.DiscardLogf,
		// Of single packets, of which a stranger can send many.
		Errorf: func(format string, args ...any) { log.Debug("WireGuard: " + fmt.Sprintf(format, args...)) },
	}
	u := &userspaceWireGuard{
		device: device.NewDevice(t, conn.NewStdNetBind(), quiet), public: key.Public(), peers: make(map[string]peer),
	}
	err = u.device.IpcSet("private_key=" + hex.EncodeToString(key.private.Bytes()) + "\n")
	if err == nil {
		err = u.setPort(port)
	}
	if err == nil {
		err = u.device.Up()
	}
	if err != nil {
		u.close()
		return nil, err
	}
	return u, nil
}

func (u *userspaceWireGuard) close() {
	u.device.Close()
	u.greeting.Wait()
}

func (u *userspaceWireGuard) read() (uint16, map[string]peer, bool, error) {
	select {
	case <-u.device.Wait(): // it ends when its interface is removed
		return 0, nil, false, nil
	default:
		return u.port, maps.Clone(u.peers), true, nil
	}
}

// setPort ends it where it fails, as it would go on at any port.
func (u *userspaceWireGuard) setPort(port uint16) error {
	if err := u.device.IpcSet(fmt.Sprintf("listen_port=%d\n", port)); err != nil {
		u.device.Close()
		return err
	}
	u.port = port
	return nil
}

func (u *userspaceWireGuard) setPeers(change setPeers) error {
	var text strings.Builder
	for _, key := range change.Remove {
		fmt.Fprintf(&text, "public_key=%s\nremove=true\n", hexKey(key))
		delete(u.peers, key)
	}
	var fresh []string
	for _, p := range change.Set {
		fmt.Fprintf(&text, "public_key=%s\n", hexKey(p.Key))
		if p.Endpoint.IsValid() {
			fmt.Fprintf(&text, "endpoint=%s\n", p.Endpoint)
		}
		fmt.Fprintf(&text, "replace_allowed_ips=true\nallowed_ip=%s/%d\n", p.Address, p.Address.BitLen())
		if _, known := u.peers[p.Key]; !known {
			fresh = append(fresh, p.Key)
		}
	}
	if err := u.device.IpcSet(text.String()); err != nil {
		return err
	}
	for _, p := range change.Set {
		u.peers[p.Key] = p
	}
	u.greet(fresh)
	return nil
}

func hexKey(key string) string {
	raw, _ := base64.StdEncoding.DecodeString(key) // plan lets no other through
	return hex.EncodeToString(raw)
}

func (u *userspaceWireGuard) traffic() ([]traffic, error) {
	text, err := u.device.IpcGet()
	if err != nil {
		return nil, err
	}
	var out []traffic
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		if name == "public_key" {
			raw, _ := hex.DecodeString(value)
			out = append(out, traffic{Key: base64.StdEncoding.EncodeToString(raw)})
		}
		if len(out) == 0 {
			continue // the device's own, its key among them
		}
		number, _ := strconv.ParseUint(value, 10, 64)
		last := &out[len(out)-1]
		switch name {
		case "tx_bytes":
			last.Sent = number
		case "rx_bytes":
			last.Received = number
		case "last_handshake_time_sec":
			if number > 0 {
				last.Handshake = time.Unix(int64(number), 0)
			}
		}
	}
	return out, nil
}
