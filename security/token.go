package security

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Reasons for which a join token cannot be read, for errors.Is.
var (
	ErrTokenEmpty     = errors.New("the join token is empty")
	ErrTokenPrefix    = errors.New("this is not a join token: it must begin with " + tokenPrefix)
	ErrTokenVersion   = errors.New("the join token is of a version that this release does not know")
	ErrTokenTruncated = errors.New("the join token is cut short: copy all of it")
	ErrTokenCorrupt   = errors.New("the join token is damaged: copy it again")
)

const (
	tokenPrefix = "MUSTER-1-"
	tokenFamily = "MUSTER-"

	tokenSecretLen   = 20 // 160 bits
	tokenChecksumLen = 4
	tokenBodyLen     = 16 + tokenSecretLen + 16 + sha256.Size
)

var tokenEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Token lets a host join: which cluster, how to recognise it, and a secret
// that the cluster knows only as a hash. Expiry and use count are the
// cluster's to keep, under ID.
type Token struct {
	ID        string // ULID
	Secret    []byte // 20 bytes
	ClusterID string
	CAHash    string // SHA-256 of the authority's certificate (DER), in hex
}

// NewToken makes a token with a fresh secret. id is a new ULID.
func NewToken(id, clusterID, caHash string) (Token, error) {
	t := Token{ID: id, Secret: make([]byte, tokenSecretLen), ClusterID: clusterID, CAHash: caHash}
	_, _ = rand.Read(t.Secret) // documented never to fail
	if _, err := t.body(); err != nil {
		return Token{}, fmt.Errorf("make join token: %w", err)
	}
	return t, nil
}

// String returns the token as one word to paste, secret included. It is empty
// for a token that neither [NewToken] nor [ParseToken] made.
func (t Token) String() string {
	body, err := t.body()
	if err != nil {
		return ""
	}
	return tokenPrefix + tokenEncoding.EncodeToString(append(body, tokenChecksum(body)...))
}

// LogValue keeps the secret out of logs.
func (t Token) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", t.ID), slog.String("cluster", t.ClusterID))
}

// ParseToken reads what [Token.String] wrote. White space from line wraps and
// lower case are forgiven; anything else is an error that says what is wrong.
func ParseToken(s string) (Token, error) {
	s = strings.ToUpper(strings.Join(strings.Fields(s), ""))
	text, ok := strings.CutPrefix(s, tokenPrefix)
	switch {
	case s == "":
		return Token{}, ErrTokenEmpty
	case strings.HasPrefix(tokenPrefix, s):
		return Token{}, ErrTokenTruncated
	case !ok && strings.HasPrefix(s, tokenFamily):
		return Token{}, ErrTokenVersion
	case !ok:
		return Token{}, ErrTokenPrefix
	}
	want := tokenEncoding.EncodedLen(tokenBodyLen + tokenChecksumLen)
	if len(text) < want {
		return Token{}, fmt.Errorf("%w (%d of %d characters)", ErrTokenTruncated, len(s), len(tokenPrefix)+want)
	}
	raw, err := tokenEncoding.DecodeString(text)
	if err != nil || len(raw) != tokenBodyLen+tokenChecksumLen {
		return Token{}, ErrTokenCorrupt
	}
	body, sum := raw[:tokenBodyLen], raw[tokenBodyLen:]
	if !bytes.Equal(sum, tokenChecksum(body)) {
		return Token{}, ErrTokenCorrupt
	}
	return tokenFromBody(body), nil
}

// HashSecret is what the cluster stores of a token's secret. A plain hash is
// enough: the secret is random, not a password that could be guessed.
func HashSecret(secret []byte) string { return hashHex(secret) }

// VerifySecret compares a secret with its stored hash in constant time.
func VerifySecret(hash string, secret []byte) bool {
	return subtle.ConstantTimeCompare([]byte(hash), []byte(HashSecret(secret))) == 1
}

// body is id, secret, cluster and authority hash, each of fixed length.
func (t Token) body() ([]byte, error) {
	id, err := decodeULID(t.ID)
	if err != nil {
		return nil, fmt.Errorf("token: %w", err)
	}
	cluster, err := decodeULID(t.ClusterID)
	if err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	caHash, err := hex.DecodeString(t.CAHash)
	if err != nil || len(caHash) != sha256.Size {
		return nil, fmt.Errorf("authority hash %q is not a SHA-256 in hex", t.CAHash)
	}
	if len(t.Secret) != tokenSecretLen {
		return nil, fmt.Errorf("secret of %d bytes, want %d", len(t.Secret), tokenSecretLen)
	}
	return bytes.Join([][]byte{id[:], t.Secret, cluster[:], caHash}, nil), nil
}

func tokenFromBody(b []byte) Token {
	id, b := [16]byte(b), b[16:]
	secret, b := bytes.Clone(b[:tokenSecretLen]), b[tokenSecretLen:]
	cluster, caHash := [16]byte(b), b[16:]
	return Token{
		ID:        encodeULID(id),
		Secret:    secret,
		ClusterID: encodeULID(cluster),
		CAHash:    hex.EncodeToString(caHash),
	}
}

func tokenChecksum(body []byte) []byte {
	sum := sha256.Sum256(append([]byte(tokenPrefix), body...))
	return sum[:tokenChecksumLen]
}
