package security

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
)

// Reasons for which a sealed value does not open, for errors.Is.
var (
	ErrWrongKey = errors.New("the value is sealed under another cluster key")
	ErrTampered = errors.New("the sealed value is damaged, or is not the one that belongs here")
)

const (
	clusterKeyLen   = 32
	clusterKeyIDLen = 8

	// GossipKeyLen is the length of a gossip key: AES-256.
	GossipKeyLen = 32

	sealPurpose = "muster sealed value 1"
	idPurpose   = "muster cluster key id 1"
)

// Sealed is the only form in which a secret enters replicated state.
type Sealed struct {
	Key        string `cbor:"1,keyasint" json:"key"` // ID of the cluster key
	Nonce      []byte `cbor:"2,keyasint" json:"nonce"`
	Ciphertext []byte `cbor:"3,keyasint" json:"ciphertext"`
}

// ClusterKey seals the cluster's secrets. Voters keep it outside replicated
// state. Its content is unexported so that no encoder, and no log line,
// carries it by accident.
type ClusterKey struct{ secret [clusterKeyLen]byte }

// NewClusterKey makes a random key.
func NewClusterKey() ClusterKey {
	var k ClusterKey
	_, _ = rand.Read(k.secret[:]) // documented never to fail
	return k
}

// ParseClusterKey takes what [ClusterKey.Bytes] gave.
func ParseClusterKey(b []byte) (ClusterKey, error) {
	if len(b) != clusterKeyLen {
		return ClusterKey{}, fmt.Errorf("parse cluster key: %d bytes, want %d", len(b), clusterKeyLen)
	}
	return ClusterKey{secret: [clusterKeyLen]byte(b)}, nil
}

// Bytes returns the key itself, to be handed to another voter.
func (k ClusterKey) Bytes() []byte { return append([]byte(nil), k.secret[:]...) }

// IsZero reports whether there is no key.
func (k ClusterKey) IsZero() bool { return k == ClusterKey{} }

// ID names the key without revealing it: 16 hex digits.
func (k ClusterKey) ID() string { return hex.EncodeToString(k.derive(idPurpose, clusterKeyIDLen)) }

// String names the key without revealing it.
func (k ClusterKey) String() string { return "cluster key " + k.ID() }

// LogValue keeps the key out of logs.
func (k ClusterKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// NewGossipKey makes a random key for the gossip keyring.
func NewGossipKey() []byte {
	key := make([]byte, GossipKeyLen)
	_, _ = rand.Read(key) // documented never to fail
	return key
}

// Seal encrypts plaintext with AES-256-GCM under a random nonce. aad says
// what the value is (kind, ID, version): it is not stored, and [Open] must be
// given the same, so that one sealed value cannot be passed off as another.
func Seal(key ClusterKey, plaintext, aad []byte) (Sealed, error) {
	aead, err := key.aead()
	if err != nil {
		return Sealed{}, fmt.Errorf("seal value: %w", err)
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // documented never to fail
	return Sealed{Key: key.ID(), Nonce: nonce, Ciphertext: aead.Seal(nil, nonce, plaintext, aad)}, nil
}

// Open decrypts a value. It fails with [ErrWrongKey] or [ErrTampered].
func Open(key ClusterKey, s Sealed, aad []byte) ([]byte, error) {
	if s.Key != key.ID() {
		return nil, fmt.Errorf("open sealed value: %w (%s, not %s)", ErrWrongKey, s.Key, key.ID())
	}
	aead, err := key.aead()
	if err != nil {
		return nil, fmt.Errorf("open sealed value: %w", err)
	}
	if len(s.Nonce) != aead.NonceSize() {
		return nil, fmt.Errorf("open sealed value: %w", ErrTampered)
	}
	plaintext, err := aead.Open(nil, s.Nonce, s.Ciphertext, aad)
	if err != nil {
		return nil, fmt.Errorf("open sealed value: %w", ErrTampered)
	}
	return plaintext, nil
}

func (k ClusterKey) aead() (cipher.AEAD, error) {
	if k.IsZero() {
		return nil, errors.New("there is no cluster key")
	}
	block, err := aes.NewCipher(k.derive(sealPurpose, clusterKeyLen))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// derive separates the uses of the key, so that its ID says nothing about the
// key that encrypts.
func (k ClusterKey) derive(purpose string, n int) []byte {
	out, err := hkdf.Key(sha256.New, k.secret[:], nil, purpose, n)
	if err != nil {
		panic("security: " + err.Error()) // only for lengths above 255 hashes
	}
	return out
}
