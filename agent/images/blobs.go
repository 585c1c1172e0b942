package images

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Room, in bytes, that blobs leave on their file system: the agent's log is on
// it. On small ones the share counts where it is less.
const (
	leaveRoom  = 1 << 30
	leaveShare = 5 // or a fifth
)

var (
	errNoRoom       = errors.New("there is no room for it")
	errWrongContent = errors.New("the content does not have the digest")
	errBeingWritten = errors.New("another transfer brings it already")
)

// blobDigest is the only form of a digest that becomes a file's name.
var blobDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// blobs are files named by the SHA-256 of their content. What is whole has been
// verified; of others a part is here, to go on from. Safe for concurrent use.
type blobs struct {
	dir  string
	room func(dir string) (free, size int64, err error)

	mu      sync.Mutex
	held    map[string]int // by digest: how many need it
	writing map[string]bool
}

// openBlobs uses dir and what an earlier agent left there.
func openBlobs(dir string, room func(string) (free, size int64, err error)) (*blobs, error) {
	b := &blobs{dir: dir, room: room, held: map[string]int{}, writing: map[string]bool{}}
	for _, sub := range []string{"whole", "part"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("make the directory for images on their way: %w", err)
		}
	}
	return b, nil
}

func (b *blobs) path(sub, digest string) string {
	return filepath.Join(b.dir, sub, strings.TrimPrefix(digest, "sha256:"))
}

// fits fails where n more bytes would leave too little room.
func (b *blobs) fits(n int64) error {
	free, size, err := b.room(b.dir)
	if err != nil {
		return fmt.Errorf("measure the room in %s: %w", b.dir, err)
	}
	if free-n < min(leaveRoom, size/leaveShare) {
		return fmt.Errorf("%w: %s are needed, %s of %s are free in %s", errNoRoom,
			cluster.FormatBytes(n), cluster.FormatBytes(free), cluster.FormatBytes(size), b.dir)
	}
	return nil
}

// hold keeps tidy away from digests until release is called.
func (b *blobs) hold(digests ...string) (release func()) {
	count := func(by int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		for _, d := range digests {
			if b.held[d] += by; b.held[d] == 0 {
				delete(b.held, d)
			}
		}
	}
	count(+1)
	return sync.OnceFunc(func() { count(-1) })
}

// open opens a whole blob.
func (b *blobs) open(digest string) (f *os.File, size int64, err error) {
	if !blobDigest.MatchString(digest) {
		return nil, 0, fmt.Errorf("%q is not a digest", digest)
	}
	path := b.path("whole", digest)
	if f, err = os.Open(path); err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // only makes tidy wait
	return f, info.Size(), nil
}

func (b *blobs) has(digest string) bool {
	_, err := os.Stat(b.path("whole", digest))
	return err == nil
}

// read returns a whole blob of at most limit bytes.
func (b *blobs) read(digest string, limit int64) ([]byte, error) {
	f, size, err := b.open(digest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", digest, size, limit)
	}
	return io.ReadAll(f)
}

// part is how much of a blob is here, from its beginning.
func (b *blobs) part(digest string) int64 {
	info, err := os.Stat(b.path("part", digest))
	if err != nil {
		return 0
	}
	return info.Size()
}

// take appends r to what is here of a blob of that size, from offset on, and
// makes it whole when it has its digest. What came before an error is kept; what
// is wrong is not.
func (b *blobs) take(digest string, offset, size int64, r io.Reader) error {
	if !blobDigest.MatchString(digest) || offset < 0 || size < offset {
		return fmt.Errorf("bytes %d to %d of %q make no blob", offset, size, digest)
	}
	if !b.claim(digest) {
		return errBeingWritten
	}
	defer b.unclaim(digest)
	if err := b.fits(size - offset); err != nil {
		return err
	}
	path := b.path("part", digest)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := b.fill(f, offset, size, r); err != nil {
		return err
	}
	if err := verify(f, digest); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return os.Rename(path, b.path("whole", digest))
}

func (b *blobs) claim(digest string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.writing[digest] {
		return false
	}
	b.writing[digest] = true
	return true
}

func (b *blobs) unclaim(digest string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.writing, digest)
}

// fill makes f size bytes long, with r from offset on.
func (b *blobs) fill(f *os.File, offset, size int64, r io.Reader) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < offset {
		return fmt.Errorf("the part ends at %d, before %d", info.Size(), offset)
	}
	if err := f.Truncate(offset); err != nil {
		return err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	_, err = io.CopyN(f, r, size-offset)
	return err
}

func verify(f *os.File, digest string) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := "sha256:" + hex.EncodeToString(h.Sum(nil)); got != digest {
		return fmt.Errorf("%w: it is %s, not %s", errWrongContent, got, digest)
	}
	return nil
}

// add makes a whole blob of size bytes of r, whatever its digest is.
func (b *blobs) add(r io.Reader, size int64) (digest string, err error) {
	if err := b.fits(size); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Join(b.dir, "part"), "new-")
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err = io.CopyN(io.MultiWriter(f, h), r, size); err == nil {
		digest = "sha256:" + hex.EncodeToString(h.Sum(nil))
		err = os.Rename(f.Name(), b.path("whole", digest))
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return digest, nil
}

// drop removes a whole blob that nobody holds.
func (b *blobs) drop(digest string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held[digest] == 0 {
		_ = os.Remove(b.path("whole", digest)) // tidy will
	}
}

// tidy removes what nobody holds and nobody touched since the times given.
func (b *blobs) tidy(whole, part time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for sub, before := range map[string]time.Time{"whole": whole, "part": part} {
		entries, err := os.ReadDir(filepath.Join(b.dir, sub))
		errs = append(errs, err)
		for _, e := range entries {
			digest := "sha256:" + e.Name()
			info, err := e.Info()
			if err != nil || b.held[digest] > 0 || b.writing[digest] || info.ModTime().After(before) {
				continue // or gone already
			}
			errs = append(errs, os.Remove(filepath.Join(b.dir, sub, e.Name())))
		}
	}
	return errors.Join(errs...)
}
