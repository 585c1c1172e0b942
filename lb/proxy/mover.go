package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

const (
	bufferSize = 32 << 10
	// bulkSize is how many bytes of a bulk transfer are moved at a time.
	bulkSize = 1 << 20
)

var buffers = bufferPool(bufferSize)

func bufferPool(size int) *sync.Pool {
	return &sync.Pool{New: func() any { b := make([]byte, size); return &b }}
}

// mover moves bytes from one connection to another, some at a time. move
// returns how many; its error is io.EOF at the end of the source.
type mover interface{ move() (int64, error) }

func newMover(dst, src net.Conn) mover {
	to, ok := dst.(*net.TCPConn)
	if !ok {
		return anyMover{dst, src}
	}
	from, ok := src.(*net.TCPConn)
	if !ok {
		return anyMover{dst, src}
	}
	raw, err := from.SyscallConn()
	if err != nil {
		return anyMover{dst, src} // which meets the same error
	}
	return &tcpMover{dst: to, src: from, raw: raw}
}

// tcpMover goes through a buffer while messages are small, and lets the kernel
// move the bytes (splice) once they fill it. While the source is silent it
// holds no buffer and no pipe, so that idle connections are cheap.
type tcpMover struct {
	dst, src *net.TCPConn
	raw      syscall.RawConn
	bulk     bool
}

func (m *tcpMover) move() (int64, error) {
	if m.bulk {
		m.bulk = false
		return moveLimited(m.dst, m.src)
	}
	buf, n, err := readInto(m.raw, buffers)
	if err != nil {
		return 0, err
	}
	defer buffers.Put(buf)
	if n == 0 {
		return 0, io.EOF
	}
	m.bulk = n == len(*buf)
	sent, err := m.dst.Write((*buf)[:n])
	return int64(sent), err
}

// readInto waits until a socket has something, and takes a buffer of the pool only
// then. The buffer is the caller's unless there is an error.
func readInto(raw syscall.RawConn, pool *sync.Pool) (buf *[]byte, n int, err error) {
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		buf = pool.Get().(*[]byte)
		for {
			n, failed = syscall.Read(int(fd), *buf)
			if failed != syscall.EINTR {
				break
			}
		}
		if failed != nil {
			pool.Put(buf)
		}
		return failed != syscall.EAGAIN
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, 0, err
	}
	return buf, n, nil
}

// anyMover serves connections that are not both TCP.
type anyMover struct{ dst, src net.Conn }

func (m anyMover) move() (int64, error) { return moveLimited(m.dst, m.src) }

func moveLimited(dst io.Writer, src io.Reader) (int64, error) {
	n, err := io.Copy(dst, &io.LimitedReader{R: src, N: bulkSize})
	if err == nil && n < bulkSize {
		err = io.EOF
	}
	return n, err
}
