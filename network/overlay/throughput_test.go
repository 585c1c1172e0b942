package overlay

import (
	"bytes"
	"testing"
)

// BenchmarkThroughput is one connection between two hosts of one machine, both
// ways at once; what counts is how plain and encrypted compare.
func BenchmarkThroughput(b *testing.B) {
	for _, c := range []struct {
		name    string
		encrypt bool
	}{{"plain", false}, {"encrypted", true}} {
		b.Run(c.name, func(b *testing.B) {
			w := run(b, 2, c.encrypt)
			w.reach(1, 2)
			conn, _, err := w.hosts[0].container.dial(echoOf(2), patience)
			if err != nil {
				b.Fatal(err)
			}
			words := bytes.Repeat([]byte("0123456789abcdef"), bulk/16)
			b.SetBytes(2 * int64(len(words)))
			for b.Loop() {
				say(b, conn, words)
			}
		})
	}
}
