package security

import (
	"encoding/binary"
	"fmt"
)

const (
	ulidLen      = 26
	ulidAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // Crockford's base 32
)

var ulidValue = func() (t [256]int8) {
	for i := range t {
		t[i] = -1
	}
	for i, c := range []byte(ulidAlphabet) {
		t[c] = int8(i)
	}
	return t
}()

// decodeULID returns the 16 bytes of an upper-case ULID. Only the canonical
// spelling is taken, so that an identifier has exactly one form in URIs, file
// names and comparisons.
func decodeULID(s string) (b [16]byte, err error) {
	if len(s) != ulidLen {
		return b, fmt.Errorf("identifier %q is not a ULID: %d characters, want %d", s, len(s), ulidLen)
	}
	if s[0] > '7' {
		return b, fmt.Errorf("identifier %q is not a ULID: above 128 bits", s)
	}
	var hi, lo uint64
	for i := range ulidLen {
		v := ulidValue[s[i]]
		if v < 0 {
			return b, fmt.Errorf("identifier %q is not a ULID: character %q", s, s[i])
		}
		hi, lo = hi<<5|lo>>59, lo<<5|uint64(v)
	}
	binary.BigEndian.PutUint64(b[:8], hi)
	binary.BigEndian.PutUint64(b[8:], lo)
	return b, nil
}

func encodeULID(b [16]byte) string {
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	var s [ulidLen]byte
	for i := ulidLen - 1; i >= 0; i-- {
		s[i] = ulidAlphabet[lo&31]
		hi, lo = hi>>5, lo>>5|hi<<59
	}
	return string(s[:])
}

func checkID(kind, id string) error {
	if _, err := decodeULID(id); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}
