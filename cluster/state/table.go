package state

import (
	"hash/fnv"
	"iter"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
)

// table is a persistent map in key order with a running sum of its objects'
// hashes. Values are immutable once stored.
type table[T any] struct {
	tree *iradix.Tree[entry[T]]
	sum  uint64
}

type entry[T any] struct {
	val  *T
	hash uint64
}

func newTable[T any]() table[T] { return table[T]{tree: iradix.New[entry[T]]()} }

func (t table[T]) get(key string) (*T, bool) {
	e, ok := t.tree.Get([]byte(key))
	return e.val, ok
}

func (t table[T]) len() int { return t.tree.Len() }

// all yields the values whose keys begin with prefix, in key order.
func (t table[T]) all(prefix string) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		it := t.tree.Root().Iterator()
		if prefix != "" {
			it.SeekPrefix([]byte(prefix))
		}
		for _, e, ok := it.Next(); ok; _, e, ok = it.Next() {
			if !yield(e.val) {
				return
			}
		}
	}
}

// backward yields all values, the last key first.
func (t table[T]) backward() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		it := t.tree.Root().ReverseIterator()
		for _, e, ok := it.Previous(); ok; _, e, ok = it.Previous() {
			if !yield(e.val) {
				return
			}
		}
	}
}

// from yields the values whose keys are at least key, in key order.
func (t table[T]) from(key string) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		it := t.tree.Root().Iterator()
		it.SeekLowerBound([]byte(key))
		for _, e, ok := it.Next(); ok; _, e, ok = it.Next() {
			if !yield(e.val) {
				return
			}
		}
	}
}

// tableTx is a table being changed.
type tableTx[T any] struct {
	txn  *iradix.Txn[entry[T]]
	sum  uint64
	len  int
	tag  byte // keeps equal bytes of different tables apart in the sum
	hash bool // false for tables that are derived from others
}

func (t table[T]) begin(tag byte, hash bool) *tableTx[T] {
	return &tableTx[T]{txn: t.tree.Txn(), sum: t.sum, len: t.tree.Len(), tag: tag, hash: hash}
}

func (t *tableTx[T]) commit() table[T] {
	return table[T]{tree: t.txn.CommitOnly(), sum: t.sum}
}

func (t *tableTx[T]) get(key string) (*T, bool) {
	e, ok := t.txn.Get([]byte(key))
	return e.val, ok
}

func (t *tableTx[T]) put(key string, v *T) {
	e := entry[T]{val: v}
	if t.hash {
		e.hash = objectHash(t.tag, key, v)
	}
	old, had := t.txn.Insert([]byte(key), e)
	if had {
		t.sum -= old.hash
	} else {
		t.len++
	}
	t.sum += e.hash
}

func (t *tableTx[T]) del(key string) {
	if old, had := t.txn.Delete([]byte(key)); had {
		t.sum -= old.hash
		t.len--
	}
}

// floor is the value of the greatest key that is at most key.
func (t *tableTx[T]) floor(key string) (*T, bool) {
	it := t.txn.Root().ReverseIterator()
	it.SeekReverseLowerBound([]byte(key))
	_, e, ok := it.Previous()
	return e.val, ok
}

// any reports whether a key begins with prefix.
func (t *tableTx[T]) any(prefix string) bool {
	it := t.txn.Root().Iterator()
	it.SeekPrefix([]byte(prefix))
	_, _, ok := it.Next()
	return ok
}

// all is a snapshot of the values whose keys begin with prefix; the table may
// be changed while it is walked.
func (t *tableTx[T]) all(prefix string) []*T {
	var out []*T
	t.txn.Root().WalkPrefix([]byte(prefix), func(_ []byte, e entry[T]) bool {
		out = append(out, e.val)
		return false
	})
	return out
}

// objectHash is FNV-1a over the object's canonical encoding.
func objectHash(tag byte, key string, v any) uint64 {
	h := fnv.New64a()
	h.Write([]byte{tag})
	h.Write([]byte(key))
	b, err := encMode.Marshal(v)
	if err != nil {
		panic(err) // our own types always encode
	}
	h.Write(b)
	return h.Sum64()
}
