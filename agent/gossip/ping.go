package gossip

import (
	"fmt"
	"net"
)

// Ping sends a member one packet and waits for its answer, as long as a probe.
func (g *Gossip) Ping(id, hostPort string) error {
	addr, err := net.ResolveUDPAddr("udp", hostPort)
	if err != nil {
		return fmt.Errorf("ping %s: %w", hostPort, err)
	}
	if _, err := g.list.Ping(id, addr); err != nil {
		return fmt.Errorf("ping %s: %w", hostPort, err)
	}
	return nil
}
