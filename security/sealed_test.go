package security

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/go-cmp/cmp"
)

func TestSealOpen(t *testing.T) {
	key := NewClusterKey()
	aad := []byte("secret/db-password/1")
	for _, plain := range []string{"", "hunter2", strings.Repeat("x", 1<<16)} {
		s, err := Seal(key, []byte(plain), aad)
		if err != nil {
			t.Fatal(err)
		}
		if plain != "" && bytes.Contains(s.Ciphertext, []byte(plain)) {
			t.Error("the ciphertext shows the value")
		}
		got, err := Open(key, s, aad)
		if err != nil || string(got) != plain {
			t.Errorf("opened %d bytes, %v", len(got), err)
		}
	}
	a, _ := Seal(key, []byte("x"), aad)
	b, _ := Seal(key, []byte("x"), aad)
	if bytes.Equal(a.Nonce, b.Nonce) || bytes.Equal(a.Ciphertext, b.Ciphertext) {
		t.Error("the same value sealed twice looks the same")
	}
}

func TestOpenRefuses(t *testing.T) {
	key := NewClusterKey()
	aad := []byte("secret/db-password/1")
	whole, err := Seal(key, []byte("hunter2"), aad)
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(f func(*Sealed)) Sealed {
		s := Sealed{Key: whole.Key, Nonce: bytes.Clone(whole.Nonce), Ciphertext: bytes.Clone(whole.Ciphertext)}
		f(&s)
		return s
	}
	other := NewClusterKey()
	for name, tc := range map[string]struct {
		key  ClusterKey
		s    Sealed
		aad  string
		want error
	}{
		"another key":         {other, whole, string(aad), ErrWrongKey},
		"another key, lying":  {other, damaged(func(s *Sealed) { s.Key = other.ID() }), string(aad), ErrTampered},
		"another value's aad": {key, whole, "secret/db-password/2", ErrTampered},
		"no aad":              {key, whole, "", ErrTampered},
		"flipped bit":         {key, damaged(func(s *Sealed) { s.Ciphertext[0] ^= 1 }), string(aad), ErrTampered},
		"flipped tag":         {key, damaged(func(s *Sealed) { s.Ciphertext[len(s.Ciphertext)-1] ^= 1 }), string(aad), ErrTampered},
		"flipped nonce":       {key, damaged(func(s *Sealed) { s.Nonce[0] ^= 1 }), string(aad), ErrTampered},
		"short nonce":         {key, damaged(func(s *Sealed) { s.Nonce = s.Nonce[:4] }), string(aad), ErrTampered},
		"no nonce":            {key, damaged(func(s *Sealed) { s.Nonce = nil }), string(aad), ErrTampered},
		"empty":               {key, damaged(func(s *Sealed) { s.Ciphertext = nil }), string(aad), ErrTampered},
		"zero value":          {key, Sealed{}, string(aad), ErrWrongKey},
	} {
		if got, err := Open(tc.key, tc.s, []byte(tc.aad)); !errors.Is(err, tc.want) || got != nil {
			t.Errorf("%s: %q, %v; want %v", name, got, err, tc.want)
		}
	}
	if _, err := Seal(ClusterKey{}, []byte("x"), nil); err == nil {
		t.Error("sealed under no key")
	}
}

func TestSealedEncodings(t *testing.T) {
	s, err := Seal(NewClusterKey(), []byte("hunter2"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var viaJSON, viaCBOR Sealed
	data, err := json.Marshal(s)
	if err != nil || json.Unmarshal(data, &viaJSON) != nil || !cmp.Equal(viaJSON, s) {
		t.Errorf("JSON: %s, %v", data, err)
	}
	data, err = cbor.Marshal(s)
	if err != nil || cbor.Unmarshal(data, &viaCBOR) != nil || !cmp.Equal(viaCBOR, s) {
		t.Errorf("CBOR: %x, %v", data, err)
	}
}

func TestClusterKeyHidesItself(t *testing.T) {
	key := NewClusterKey()
	raw := fmt.Sprintf("%x", key.Bytes())
	asJSON, err := json.Marshal(key) //nolint:staticcheck // that nothing comes out is what is tested
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(key), fmt.Sprintf("%+v %s %x", key, key, key), string(asJSON), key.ID()} {
		if strings.Contains(shown, raw[:16]) {
			t.Errorf("%s shows the key", shown)
		}
	}
	back, err := ParseClusterKey(key.Bytes())
	if err != nil || back != key || back.ID() != key.ID() {
		t.Errorf("came back as %s, %v", back, err)
	}
	if _, err := ParseClusterKey(key.Bytes()[:31]); err == nil {
		t.Error("took 31 bytes for a key")
	}
	if k := NewGossipKey(); len(k) != GossipKeyLen || bytes.Equal(k, NewGossipKey()) {
		t.Error("gossip keys must be 32 random bytes")
	}
}
