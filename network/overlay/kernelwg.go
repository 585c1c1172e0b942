package overlay

import (
	"fmt"
	"net"
	"net/netip"

	"golang.zx2c4.com/wireguard/wgctrl"
	"golang.zx2c4.com/wireguard/wgctrl/wgtypes"
)

// kernelWireGuard is the kernel's, which goes on without this process.
type kernelWireGuard struct {
	client *wgctrl.Client
	told   map[string]peer // what this process set
}

func newKernelWireGuard(key Key, port uint16) (wireGuard, error) {
	client, err := wgctrl.New()
	if err != nil {
		return nil, fmt.Errorf("talk to the kernel's WireGuard: %w", err)
	}
	k := &kernelWireGuard{client: client, told: make(map[string]peer)}
	private, number := wgtypes.Key(key.private.Bytes()), int(port)
	if err := client.ConfigureDevice(wireGuardLink, wgtypes.Config{PrivateKey: &private, ListenPort: &number}); err != nil {
		k.close()
		return nil, fmt.Errorf("give the kernel's WireGuard its key and port: %w", err)
	}
	return k, nil
}

func (k *kernelWireGuard) close() { _ = k.client.Close() }

func (k *kernelWireGuard) read() (uint16, map[string]peer, bool, error) {
	d, err := k.client.Device(wireGuardLink)
	if err != nil {
		return 0, nil, false, nil //nolint:nilerr // its interface is gone, and is made again
	}
	peers := make(map[string]peer, len(d.Peers))
	for _, p := range d.Peers {
		got := peer{Key: p.PublicKey.String()}
		if p.Endpoint != nil {
			got.Endpoint = p.Endpoint.AddrPort()
		}
		if told, known := k.told[got.Key]; known {
			got.Endpoint = told.Endpoint
		}
		if len(p.AllowedIPs) == 1 {
			got.Address, _ = netip.AddrFromSlice(p.AllowedIPs[0].IP)
		}
		peers[got.Key] = got
	}
	return uint16(d.ListenPort), peers, true, nil
}

func (k *kernelWireGuard) setPort(port uint16) error {
	number := int(port)
	return k.client.ConfigureDevice(wireGuardLink, wgtypes.Config{ListenPort: &number})
}

func (k *kernelWireGuard) setPeers(change setPeers) error {
	var cfg wgtypes.Config
	for _, text := range change.Remove {
		key, err := wgtypes.ParseKey(text)
		if err != nil {
			return err
		}
		cfg.Peers = append(cfg.Peers, wgtypes.PeerConfig{PublicKey: key, Remove: true})
	}
	for _, p := range change.Set {
		key, err := wgtypes.ParseKey(p.Key)
		if err != nil {
			return err
		}
		bits := p.Address.BitLen()
		set := wgtypes.PeerConfig{
			PublicKey: key, ReplaceAllowedIPs: true,
			AllowedIPs: []net.IPNet{{IP: p.Address.AsSlice(), Mask: net.CIDRMask(bits, bits)}},
		}
		if p.Endpoint.IsValid() {
			set.Endpoint = net.UDPAddrFromAddrPort(p.Endpoint)
		}
		cfg.Peers = append(cfg.Peers, set)
	}
	if err := k.client.ConfigureDevice(wireGuardLink, cfg); err != nil {
		return err
	}
	for _, key := range change.Remove {
		delete(k.told, key)
	}
	for _, p := range change.Set {
		k.told[p.Key] = p
	}
	return nil
}

func (k *kernelWireGuard) traffic() ([]traffic, error) {
	d, err := k.client.Device(wireGuardLink)
	if err != nil {
		return nil, err
	}
	out := make([]traffic, 0, len(d.Peers))
	for _, p := range d.Peers {
		out = append(out, traffic{
			Key: p.PublicKey.String(), Sent: uint64(p.TransmitBytes), Received: uint64(p.ReceiveBytes), Handshake: p.LastHandshakeTime,
		})
	}
	return out, nil
}
