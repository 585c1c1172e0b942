package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// A key rotates in three steps, each after every member took the one before:
// InstallKey (all can read it), UseKey (all write it), RemoveKey (of the old).
// SetKeys takes whichever of them a member is behind.

// SetKeys makes the ring hold exactly these keys, of which the first encrypts.
func (g *Gossip) SetKeys(keys [][]byte) error {
	if len(keys) == 0 {
		return errors.New("set gossip keys: there is none")
	}
	for _, key := range keys {
		if err := g.InstallKey(key); err != nil {
			return err
		}
	}
	if err := g.UseKey(keys[0]); err != nil {
		return err
	}
	for _, key := range g.keyring.GetKeys() {
		if slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, key) }) {
			continue
		}
		if err := g.RemoveKey(key); err != nil {
			return err
		}
	}
	return nil
}

// InstallKey adds a key that incoming messages may use.
func (g *Gossip) InstallKey(key []byte) error {
	g.keys.Lock()
	defer g.keys.Unlock()
	if err := checkKey(key); err != nil {
		return fmt.Errorf("install gossip key: %w", err)
	}
	if err := g.keyring.AddKey(bytes.Clone(key)); err != nil {
		return fmt.Errorf("install gossip key: %w", err)
	}
	return nil
}

// UseKey makes an installed key the one that encrypts.
func (g *Gossip) UseKey(key []byte) error {
	g.keys.Lock()
	defer g.keys.Unlock()
	if err := g.keyring.UseKey(key); err != nil {
		return fmt.Errorf("use gossip key: %w", err)
	}
	return nil
}

// RemoveKey drops a key; it fails for the one that encrypts. Removing a key
// that is not installed does nothing.
func (g *Gossip) RemoveKey(key []byte) error {
	g.keys.Lock()
	defer g.keys.Unlock()
	if err := g.sortLast(key); err != nil {
		return fmt.Errorf("remove gossip key: %w", err)
	}
	if err := g.keyring.RemoveKey(key); err != nil {
		return fmt.Errorf("remove gossip key: %w", err)
	}
	return nil
}

// sortLast moves key to the end of the ring, the primary staying first.
// memberlist removes a key by shifting those behind it in an array that
// decryption is reading without a lock.
func (g *Gossip) sortLast(key []byte) error {
	ring := g.keyring.GetKeys()
	primary := ring[0]
	if bytes.Equal(primary, key) || bytes.Equal(ring[len(ring)-1], key) {
		return nil
	}
	for _, other := range ring[1:] {
		if bytes.Equal(other, key) {
			continue
		}
		if err := g.keyring.UseKey(other); err != nil {
			return err
		}
	}
	return g.keyring.UseKey(primary)
}
