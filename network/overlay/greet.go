package overlay

import (
	"time"

	"golang.zx2c4.com/wireguard/device"
)

// greetAfter is how long one of two hosts waits for the other to greet it.
const greetAfter = 200 * time.Millisecond

// greet makes sessions with peers that are new to this process, before there is
// anything to send. They may still hold one with a process before it, and would
// send into that for 15 s (KeepaliveTimeout + RekeyTimeout) until they gave it up.
//
// Two that greet each other at once miss each other, and try again 5 s later
// (RekeyTimeout). So the one with the greater key leaves it to the other first.
func (u *userspaceWireGuard) greet(keys []string) {
	var later []string
	for _, key := range keys {
		if u.public < key {
			u.initiate(key)
		} else {
			later = append(later, key)
		}
	}
	if len(later) == 0 {
		return
	}
	u.greeting.Go(func() {
		timer := time.NewTimer(greetAfter)
		defer timer.Stop()
		select {
		case <-u.device.Wait():
			return
		case <-timer.C:
		}
		met := make(map[string]bool)
		all, _ := u.traffic() // which it has in memory
		for _, t := range all {
			met[t.Key] = !t.Handshake.IsZero()
		}
		for _, key := range later {
			if !met[key] {
				u.initiate(key)
			}
		}
	})
}

func (u *userspaceWireGuard) initiate(key string) {
	var public device.NoisePublicKey
	if public.FromHex(hexKey(key)) != nil {
		return
	}
	if p := u.device.LookupPeer(public); p != nil {
		_ = p.SendHandshakeInitiation(false) // it tries again by itself
	}
}
