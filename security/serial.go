package security

import (
	"crypto/rand"
	"math/big"
)

// newSerial returns 127 random bits: positive, and unique without a counter
// that voters would have to agree on.
func newSerial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}
