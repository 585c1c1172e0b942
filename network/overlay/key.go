package overlay

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// keyFile is where a host keeps its private key, beside the agent's other data.
const keyFile = "network.key"

// Key is a host's WireGuard key: X25519 (RFC 7748). It never leaves the host; its
// public half is in the replicated state.
type Key struct{ private *ecdh.PrivateKey }

// LoadKey reads the key that is kept in a directory, and makes it where there is
// none.
func LoadKey(dir string) (Key, error) {
	path := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return Key{}, fmt.Errorf("read the network key: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return Key{}, fmt.Errorf("read the network key: %s is not base64; remove it, and the host makes another one", path)
	}
	k, err := ecdh.X25519().NewPrivateKey(raw)
	if err != nil {
		return Key{}, fmt.Errorf("read the network key: %s: %w; remove it, and the host makes another one", path, err)
	}
	return Key{k}, nil
}

// makeKey writes a new key. Of two processes that do so at once, both get the one
// that was there first.
func makeKey(path string) (Key, error) {
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("make a network key: %w", err)
	}
	text := base64.StdEncoding.EncodeToString(k.Bytes()) + "\n"
	tmp, err := os.CreateTemp(filepath.Dir(path), keyFile+".*") // mode 0600
	if err != nil {
		return Key{}, fmt.Errorf("make a network key: %w", err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.WriteString(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return Key{}, fmt.Errorf("make a network key: %w", err)
	}
	if err := os.Link(tmp.Name(), path); errors.Is(err, os.ErrExist) {
		return LoadKey(filepath.Dir(path))
	} else if err != nil {
		return Key{}, fmt.Errorf("make a network key: %w", err)
	}
	return Key{k}, nil
}

// Public is the public half, in base64, as WireGuard's tools print it.
func (k Key) Public() string { return base64.StdEncoding.EncodeToString(k.private.PublicKey().Bytes()) }
