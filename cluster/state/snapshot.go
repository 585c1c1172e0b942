package state

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/musterhq/muster/cluster"
)

// A snapshot is magic, then length-prefixed CBOR records (a header, one record
// an object in key order, an end mark), then the CRC-32C of all before it.
const (
	snapshotMagic   = "MUSTERSNAP"
	snapshotVersion = 1
	maxRecord       = 64 << 20 // bytes; a larger length is corruption
)

type snapshotHeader struct {
	Version int               `cbor:"1,keyasint"`
	Index   uint64            `cbor:"2,keyasint"`
	Now     time.Time         `cbor:"3,keyasint"`
	Ident   *cluster.Identity `cbor:"4,keyasint,omitempty"`
	Hash    uint64            `cbor:"5,keyasint"`
	Level   int               `cbor:"6,keyasint,omitempty"`
}

type record struct {
	Tag  byte            `cbor:"1,keyasint"`
	Body cbor.RawMessage `cbor:"2,keyasint,omitempty"`
}

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// WriteSnapshot streams the view to w.
func (v View) WriteSnapshot(w io.Writer) error {
	sw := &snapshotWriter{w: bufio.NewWriter(w), crc: crc32.New(crcTable)}
	sw.write([]byte(snapshotMagic))
	sw.value(snapshotHeader{Version: snapshotVersion, Index: v.index, Now: v.now, Ident: v.ident, Hash: v.Hash(), Level: v.level})
	if v.settings != nil {
		put(sw, 'c', v.settings)
	}
	if v.given != nil {
		put(sw, 'a', v.given)
	}
	dump(sw, 'n', v.nodes)
	dump(sw, 'w', v.networks)
	dump(sw, 's', v.services)
	dump(sw, 't', v.tasks)
	dump(sw, 'k', v.tokens)
	dump(sw, 'x', v.sealed)
	dump(sw, 'm', v.images)
	dump(sw, 'r', v.requests)
	dump(sw, 'e', v.events)
	sw.value(record{Tag: 0})
	sum := sw.crc.Sum32()
	sw.write(binary.BigEndian.AppendUint32(nil, sum))
	if sw.err == nil {
		sw.err = sw.w.Flush()
	}
	if sw.err != nil {
		return fmt.Errorf("write snapshot: %w", sw.err)
	}
	return nil
}

type snapshotWriter struct {
	w   *bufio.Writer
	crc hash.Hash32
	err error
}

func (s *snapshotWriter) write(b []byte) {
	if s.err == nil {
		s.crc.Write(b)
		_, s.err = s.w.Write(b)
	}
}

func (s *snapshotWriter) value(v any) {
	b, err := encMode.Marshal(v)
	if err != nil {
		s.err = errors.Join(s.err, err)
		return
	}
	s.write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
	s.write(b)
}

func dump[T any](s *snapshotWriter, tag byte, t table[T]) {
	for v := range t.all("") {
		put(s, tag, v)
	}
}

func put[T any](s *snapshotWriter, tag byte, v *T) {
	b, err := encMode.Marshal(v)
	if err != nil {
		s.err = errors.Join(s.err, err)
		return
	}
	s.value(record{Tag: tag, Body: b})
}

// ReadSnapshot rebuilds a state from a snapshot; it refuses one that is
// truncated, altered or of a version that this binary does not know.
func ReadSnapshot(r io.Reader) (*State, error) {
	sr := &snapshotReader{r: bufio.NewReader(r), crc: crc32.New(crcTable)}
	st, err := sr.read()
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	return st, nil
}

type snapshotReader struct {
	r   *bufio.Reader
	crc hash.Hash32
}

func (s *snapshotReader) bytes(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(s.r, b); err != nil {
		return nil, fmt.Errorf("truncated: %w", err)
	}
	s.crc.Write(b)
	return b, nil
}

func (s *snapshotReader) value(v any) error {
	head, err := s.bytes(4)
	if err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head)
	if n > maxRecord {
		return fmt.Errorf("a record of %d bytes is corruption", n)
	}
	b, err := s.bytes(int(n))
	if err != nil {
		return err
	}
	return decMode.Unmarshal(b, v)
}

func (s *snapshotReader) read() (*State, error) {
	magic, err := s.bytes(len(snapshotMagic))
	if err != nil {
		return nil, err
	}
	if string(magic) != snapshotMagic {
		return nil, errors.New("this is not a muster snapshot")
	}
	var h snapshotHeader
	if err := s.value(&h); err != nil {
		return nil, err
	}
	if h.Version != snapshotVersion {
		return nil, fmt.Errorf("snapshot version %d, this version of muster knows %d", h.Version, snapshotVersion)
	}
	if h.Level > Version {
		return nil, fmt.Errorf("it holds what commands of version %d made, this version of muster knows up to %d", h.Level, Version)
	}
	tx := begin(New().view, h.Index, h.Now)
	tx.ident = h.Ident
	for {
		var rec record
		if err := s.value(&rec); err != nil {
			return nil, err
		}
		if rec.Tag == 0 {
			break
		}
		if err := tx.load(rec); err != nil {
			return nil, err
		}
	}
	want := s.crc.Sum32()
	sum, err := s.bytes(4)
	if err != nil {
		return nil, err
	}
	if binary.BigEndian.Uint32(sum) != want {
		return nil, errors.New("checksum differs: the file was altered or damaged")
	}
	st := &State{view: tx.commit()}
	st.view.level = h.Level
	if st.view.Hash() != h.Hash {
		return nil, errors.New("state hash differs from the one recorded")
	}
	return st, nil
}

// load puts one object back without touching its times.
func (tx *tx) load(rec record) error {
	switch rec.Tag {
	case 'c':
		return restore(rec.Body, func(s *cluster.Settings) { tx.settings = s })
	case 'n':
		return restore(rec.Body, func(n *cluster.Node) { tx.nodes.put(string(n.ID), n) })
	case 'a':
		return restore(rec.Body, func(g *givenLast) { tx.given = g })
	case 'w':
		return restore(rec.Body, func(n *cluster.Network) { tx.networks.put(string(n.ID), n) })
	case 's':
		return restore(rec.Body, tx.storeService)
	case 't':
		return restore(rec.Body, tx.storeTask)
	case 'k':
		return restore(rec.Body, func(k *cluster.Token) { tx.tokens.put(k.ID, k) })
	case 'x':
		return restore(rec.Body, func(x *namedSealed) { tx.sealed.put(x.Name, x) })
	case 'm':
		return restore(rec.Body, func(i *imageRecord) { tx.images.put(imageKey(i.Digest, i.Platform), i) })
	case 'r':
		return restore(rec.Body, func(r *request) { tx.requests.put(r.ID, r) })
	case 'e':
		return restore(rec.Body, tx.storeEvent)
	}
	return fmt.Errorf("record type %q is not known", rec.Tag)
}

func restore[T any](b []byte, put func(*T)) error {
	v := new(T)
	if err := decMode.Unmarshal(b, v); err != nil {
		return err
	}
	put(v)
	return nil
}
