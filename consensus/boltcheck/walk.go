package boltcheck

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// Visit is called for each key of a bucket, in order. The slices are only valid
// during the call.
type Visit func(bucket string, key, value []byte) error

// Walk visits every key of every top-level bucket and checks on the way all
// that bolt relies on: page numbers within the file and used once, page types,
// elements within their pages, keys in order and under the right branch. The
// file must not be written to meanwhile. Only raft's own shape is accepted:
// buckets at the top level, none inside another.
func Walk(file io.ReaderAt, size int64, pageSize int, visit Visit) error {
	if pageSize < minPage || pageSize > maxPage {
		return fmt.Errorf("a page size of %d bytes", pageSize)
	}
	w := &walker{file: file, size: size, pageSize: pageSize, seen: map[uint64]bool{}, visit: visit}
	m, err := w.meta()
	if err != nil {
		return err
	}
	w.end = min(m.end, uint64(size)/uint64(pageSize))
	return w.tree(m.root, limits{}, &order{}, w.bucket)
}

type walker struct {
	file     io.ReaderAt
	size     int64
	pageSize int
	end      uint64 // pages from here on are not in use
	seen     map[uint64]bool
	visit    Visit
}

// limits are the keys that a subtree may hold: low <= key < high; nil is open.
type limits struct{ low, high []byte }

func (l limits) allow(key []byte) bool {
	return (l.low == nil || bytes.Compare(l.low, key) <= 0) && (l.high == nil || bytes.Compare(key, l.high) < 0)
}

// order checks that the keys of a bucket ascend.
type order struct{ last []byte }

func (o *order) next(key []byte) bool {
	ok := o.last == nil || bytes.Compare(o.last, key) < 0
	o.last = key
	return ok
}

// tree walks the pages under id and hands out their leaf elements.
func (w *walker) tree(id uint64, within limits, sorted *order, each func(element) error) error {
	p, err := w.page(id)
	if err != nil {
		return err
	}
	if p.kind == leafPage {
		return p.leaves(within, sorted, each)
	}
	if p.count == 0 {
		return fmt.Errorf("page %d: a branch without children", id)
	}
	children, err := p.branches()
	if err != nil {
		return err
	}
	for i, c := range children {
		below := limits{low: c.key, high: within.high}
		if i+1 < len(children) {
			below.high = children[i+1].key
		}
		if !within.allow(c.key) || below.high != nil && bytes.Compare(c.key, below.high) >= 0 {
			return fmt.Errorf("page %d: branch %d is out of order", id, i)
		}
		if err := w.tree(c.page, below, sorted, each); err != nil {
			return err
		}
	}
	return nil
}

// bucket walks the bucket that an element of the top level holds.
func (w *walker) bucket(e element) error {
	if !e.bucket || len(e.value) < bucketHeader {
		return fmt.Errorf("key %q: not a bucket", e.key)
	}
	name := string(e.key)
	each := func(e element) error {
		if e.bucket {
			return fmt.Errorf("bucket %q: holds another bucket", name)
		}
		return w.visit(name, e.key, e.value)
	}
	root := binary.NativeEndian.Uint64(e.value)
	if root != 0 {
		return w.tree(root, limits{}, &order{}, each)
	}
	p, err := parse(e.value[bucketHeader:]) // a small bucket is inline
	if err != nil {
		return fmt.Errorf("bucket %q: %w", name, err)
	}
	if p.kind != leafPage {
		return fmt.Errorf("bucket %q: its inline page is no leaf", name)
	}
	return p.leaves(limits{}, &order{}, each)
}
