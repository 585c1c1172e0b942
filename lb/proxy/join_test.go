package proxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// duplex is an in-memory connection with half-close, which net.Pipe lacks.
type duplex struct {
	net.Conn // reads
	w        net.Conn
}

func (d *duplex) Write(b []byte) (int, error) { return d.w.Write(b) }
func (d *duplex) CloseWrite() error           { return d.w.Close() }
func (d *duplex) Close() error                { return errors.Join(d.Conn.Close(), d.w.Close()) }

func newDuplex() (a, b *duplex) {
	r1, w1 := net.Pipe()
	r2, w2 := net.Pipe()
	return &duplex{r1, w2}, &duplex{r2, w1}
}

// joined returns the far ends of a session and its start.
func joined(t *testing.T) (client, server *duplex, begun time.Time, ended *time.Duration) {
	client, nearClient := newDuplex()
	server, nearServer := newDuplex()
	begun, ended = time.Now(), new(time.Duration)
	var wg sync.WaitGroup
	wg.Go(func() {
		join(&session{client: nearClient, server: nearServer}, &counters{})
		*ended = time.Since(begun)
	})
	t.Cleanup(func() {
		client.Close()
		server.Close()
		wg.Wait()
	})
	return client, server, begun, ended
}

func TestSilentHalfOpenConnectionIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _, ended := joined(t)
		_ = client.CloseWrite()
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Fatalf("the server saw %v, want the client's end", err)
		}
		if _, err := server.Read(make([]byte, 1)); err == nil {
			t.Fatal("read from an ended connection")
		}
		if _, err := client.Read(make([]byte, 1)); err == nil {
			t.Fatal("the silent server said something")
		}
		synctest.Wait()
		if *ended != halfOpenIdle {
			t.Errorf("cut after %v, want %v", *ended, halfOpenIdle)
		}
	})
}

func TestHalfOpenConnectionThatMovesStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, begun, ended := joined(t)
		_ = client.CloseWrite()
		var last time.Duration
		for range 5 {
			time.Sleep(halfOpenIdle - time.Second)
			if _, err := server.Write([]byte{1}); err != nil {
				t.Fatalf("cut after %v: %v", time.Since(begun), err)
			}
			if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
				t.Fatalf("cut after %v: %v", time.Since(begun), err)
			}
			last = time.Since(begun)
		}
		_, _ = client.Read(make([]byte, 1)) // until it is cut
		synctest.Wait()
		if *ended <= last || *ended > last+2*halfOpenIdle {
			t.Errorf("cut at %v, the last byte was at %v", *ended, last)
		}
	})
}

func TestOpenConnectionMayBeSilentForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server, _, _ := joined(t)
		time.Sleep(24 * time.Hour)
		go func() { _, _ = server.Write([]byte{7}) }()
		b := make([]byte, 1)
		if _, err := io.ReadFull(client, b); err != nil || b[0] != 7 {
			t.Errorf("got %v, %v", b, err)
		}
	})
}
