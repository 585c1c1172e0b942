package boltcheck

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// sample makes a bolt file with two buckets, free pages and long values.
func sample(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, NoSync: true, PageSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	for batch := range 20 {
		err := db.Update(func(tx *bbolt.Tx) error {
			logs, err := tx.CreateBucketIfNotExists([]byte("logs"))
			if err != nil {
				return err
			}
			conf, err := tx.CreateBucketIfNotExists([]byte("conf"))
			if err != nil {
				return err
			}
			for i := range 50 {
				n := batch*50 + i
				if err := logs.Put(key(n), bytes.Repeat([]byte{'v'}, 10+n*n%9000)); err != nil {
					return err
				}
				if n >= 300 {
					if err := logs.Delete(key(n - 300)); err != nil {
						return err
					}
				}
			}
			return conf.Put([]byte("term"), key(batch))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func key(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func walk(b []byte) (keys map[string]int, err error) {
	keys = map[string]int{}
	err = Walk(bytes.NewReader(b), int64(len(b)), 4096, func(bucket string, _, _ []byte) error {
		keys[bucket]++
		return nil
	})
	return keys, err
}

func TestWalkSeesEveryKey(t *testing.T) {
	keys, err := walk(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	if keys["logs"] != 300 || keys["conf"] != 1 || len(keys) != 2 {
		t.Errorf("keys: %v", keys)
	}
}

func TestWalkFindsDamage(t *testing.T) {
	good := sample(t)
	// pages returns the numbers of the pages in use that have the given type.
	pages := func(kind uint16) []int {
		w := &walker{file: bytes.NewReader(good), size: int64(len(good)), pageSize: 4096, seen: map[uint64]bool{}, visit: func(string, []byte, []byte) error { return nil }}
		m, err := w.meta()
		if err != nil {
			t.Fatal(err)
		}
		w.end = m.end
		if err := w.tree(m.root, limits{}, &order{}, w.bucket); err != nil {
			t.Fatal(err)
		}
		var out []int
		for id := range uint64(len(good) / 4096) {
			if w.seen[id] && binary.NativeEndian.Uint64(good[id*4096:]) == id && binary.NativeEndian.Uint16(good[id*4096+8:]) == kind {
				out = append(out, int(id))
			}
		}
		return out
	}
	leaf, branch := pages(leafPage)[2]*4096, pages(branchPage)[0]*4096
	for name, tc := range map[string]struct {
		at   int
		with []byte
		want string
	}{
		"both metas":         {0, make([]byte, 8192), "no valid meta"},
		"a leaf is zero":     {leaf, make([]byte, 4096), "type"},
		"a leaf is another":  {leaf, key(7), "says that it is"},
		"too many elements":  {leaf + 10, []byte{0xff, 0xff}, "fit"},
		"overflow":           {leaf + 12, []byte{0xff, 0xff, 0xff, 0xff}, "overflow"},
		"a key too long":     {leaf + 24, []byte{0xff, 0xff, 0xff, 0x7f}, "beyond"},
		"a branch in circle": {branch + 24, binary.NativeEndian.AppendUint64(nil, uint64(branch/4096)), "twice"},
		"a child nowhere":    {branch + 24, binary.NativeEndian.AppendUint64(nil, 1<<40), "outside"},
		"a branch is empty":  {branch + 10, []byte{0, 0}, "without children"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := bytes.Clone(good)
			copy(bad[tc.at:], tc.with)
			if _, err := walk(bad); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
	if _, err := walk(good[:8*4096]); err == nil {
		t.Error("a file that was cut short passes")
	}
}

// What passes Walk, bolt opens for writing and reads to the end.
func TestWhatPassesOpens(t *testing.T) {
	good := sample(t)
	passed := 0
	for seed := range int64(300) {
		bad := damage(good, rand.New(rand.NewSource(seed)))
		if _, err := walk(bad); err != nil {
			continue
		}
		passed++
		path := filepath.Join(t.TempDir(), fmt.Sprint(seed))
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, NoSync: true})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		err = db.View(func(tx *bbolt.Tx) error {
			return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error { return b.ForEach(func(_, _ []byte) error { return nil }) })
		})
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if passed == 0 || passed == 300 {
		t.Errorf("%d of 300 damaged files pass: the test shows nothing", passed)
	}
}

// damage does what a power cut, a bad sector or a stray write would.
func damage(good []byte, rng *rand.Rand) []byte {
	bad := bytes.Clone(good)
	page := func() int { return 4096 * rng.Intn(len(bad)/4096) }
	switch rng.Intn(3) {
	case 0:
		for range 1 + rng.Intn(50) {
			bad[rng.Intn(len(bad))] = byte(rng.Intn(256))
		}
	case 1:
		copy(bad[page():], good[page():][:4096]) // an older or misdirected page
	case 2:
		clear(bad[page():][:4096])
	}
	return bad
}

func FuzzWalk(f *testing.F) {
	good := sample(f)
	f.Add(good[:16*4096])
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = walk(b) }) // neither panics nor runs for ever
}
