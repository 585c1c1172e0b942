package boltcheck

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
)

// Bolt's file format, version 2: pages in the machine's byte order. The first
// two are meta pages, of which the newer valid one counts.
const (
	magic   = 0xED0CDAED
	version = 2

	pageHeader   = 16 // id u64, flags u16, count u16, overflow u32
	elementSize  = 16 // branch: pos u32, ksize u32, page u64; leaf: flags, pos, ksize, vsize u32
	bucketHeader = 16 // root u64, sequence u64
	metaSize     = 64 // magic, version, pageSize, flags u32; root, sequence, freelist, end, txid, sum u64

	branchPage = 0x01
	leafPage   = 0x02

	minPage = 1 << 10
	maxPage = 1 << 16
)

type meta struct{ root, end, txid uint64 }

// meta returns the newer of the valid meta pages.
func (w *walker) meta() (meta, error) {
	var newest *meta
	for i := range int64(2) {
		b := make([]byte, metaSize)
		if _, err := w.file.ReadAt(b, i*int64(w.pageSize)+pageHeader); err != nil {
			continue // a file this short has no second one
		}
		ne := binary.NativeEndian
		sum := fnv.New64a()
		sum.Write(b[:metaSize-8])
		if ne.Uint32(b) != magic || ne.Uint32(b[4:]) != version || ne.Uint64(b[56:]) != sum.Sum64() {
			continue
		}
		m := meta{root: ne.Uint64(b[16:]), end: ne.Uint64(b[40:]), txid: ne.Uint64(b[48:])}
		if newest == nil || m.txid > newest.txid {
			newest = &m
		}
	}
	if newest == nil {
		return meta{}, errors.New("no valid meta page")
	}
	return *newest, nil
}

// page is a page in use, with its overflow.
type page struct {
	id    uint64
	kind  uint16
	count int
	data  []byte // from the page's first byte, as positions count
}

// page reads a page that must not have been seen before.
func (w *walker) page(id uint64) (page, error) {
	if id < 2 || id >= w.end {
		return page{}, fmt.Errorf("page %d: outside of the file's %d pages", id, w.end)
	}
	head := make([]byte, pageHeader)
	if _, err := w.file.ReadAt(head, int64(id)*int64(w.pageSize)); err != nil {
		return page{}, fmt.Errorf("page %d: %w", id, err)
	}
	span := uint64(binary.NativeEndian.Uint32(head[12:])) + 1
	if span > w.end-id {
		return page{}, fmt.Errorf("page %d: its overflow of %d ends outside of the file", id, span-1)
	}
	for n := id; n < id+span; n++ {
		if w.seen[n] {
			return page{}, fmt.Errorf("page %d: used twice", n)
		}
		w.seen[n] = true
	}
	data := make([]byte, int(span)*w.pageSize)
	if _, err := w.file.ReadAt(data, int64(id)*int64(w.pageSize)); err != nil {
		return page{}, fmt.Errorf("page %d: %w", id, err)
	}
	p, err := parse(data)
	if err != nil {
		return page{}, fmt.Errorf("page %d: %w", id, err)
	}
	if p.id != id {
		return page{}, fmt.Errorf("page %d: says that it is page %d", id, p.id)
	}
	return p, nil
}

func parse(data []byte) (page, error) {
	if len(data) < pageHeader {
		return page{}, errors.New("too short for a page")
	}
	ne := binary.NativeEndian
	p := page{id: ne.Uint64(data), kind: ne.Uint16(data[8:]), count: int(ne.Uint16(data[10:])), data: data}
	if p.kind != branchPage && p.kind != leafPage {
		return page{}, fmt.Errorf("of type %#x, neither branch nor leaf", p.kind)
	}
	if pageHeader+p.count*elementSize > len(data) {
		return page{}, fmt.Errorf("%d elements do not fit", p.count)
	}
	return p, nil
}

type branch struct {
	key  []byte
	page uint64
}

func (p page) branches() ([]branch, error) {
	out := make([]branch, p.count)
	for i := range out {
		at := pageHeader + i*elementSize
		e := p.data[at:]
		key, err := p.cut(at, binary.NativeEndian.Uint32(e), binary.NativeEndian.Uint32(e[4:]))
		if err != nil {
			return nil, err
		}
		out[i] = branch{key: key, page: binary.NativeEndian.Uint64(e[8:])}
	}
	return out, nil
}

type element struct {
	bucket     bool
	key, value []byte
}

// leaves hands out the elements of a leaf page.
func (p page) leaves(within limits, sorted *order, each func(element) error) error {
	for i := range p.count {
		at := pageHeader + i*elementSize
		e := p.data[at:]
		ne := binary.NativeEndian
		flags, pos, ksize, vsize := ne.Uint32(e), ne.Uint32(e[4:]), ne.Uint32(e[8:]), ne.Uint32(e[12:])
		key, err := p.cut(at, pos, ksize)
		if err != nil {
			return err
		}
		value, err := p.cut(at+int(pos)+int(ksize), 0, vsize)
		if err != nil {
			return err
		}
		if flags > 1 || !within.allow(key) || !sorted.next(key) {
			return fmt.Errorf("page %d: element %d has flags %#x or a key out of order", p.id, i, flags)
		}
		if err := each(element{bucket: flags == 1, key: key, value: value}); err != nil {
			return err
		}
	}
	return nil
}

// cut returns size bytes that begin pos bytes behind at.
func (p page) cut(at int, pos, size uint32) ([]byte, error) {
	from := int64(at) + int64(pos)
	to := from + int64(size)
	if to > int64(len(p.data)) {
		return nil, fmt.Errorf("page %d: an element reaches beyond it", p.id)
	}
	return p.data[from:to:to], nil
}
