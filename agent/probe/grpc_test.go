package probe

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/musterhq/muster/cluster"
)

// health serves grpc.health.v1 with a frame and a status.
func health(frame []byte, status string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked, _ := io.ReadAll(r.Body)
		if r.ProtoMajor != 2 || r.URL.Path != "/grpc.health.v1.Health/Check" || !bytes.Equal(asked, healthRequest("shop.Cart")) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", status)
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", "oh%20no")
		_, _ = w.Write(frame)
	}
}

func TestGRPC(t *testing.T) {
	for name, tc := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"serving":         {health([]byte{0, 0, 0, 0, 2, 8, 1}, "0"), ""},
		"not serving":     {health([]byte{0, 0, 0, 0, 2, 8, 2}, "0"), "status NOT_SERVING"},
		"unknown":         {health([]byte{0, 0, 0, 0, 0}, "0"), "status UNKNOWN"},
		"no such service": {health(nil, "5"), "does not know the service: oh no"},
		"no health":       {health(nil, "12"), "has no grpc.health.v1.Health"},
		"garbage":         {health([]byte("garbage"), "0"), "no health check's"},
		"endless":         {health(bytes.Repeat([]byte{0}, 1<<20), "0"), "not one of gRPC"},
		"plain HTTP/2":    {func(http.ResponseWriter, *http.Request) {}, "not one of gRPC"},
		"not found":       {http.NotFound, "404 Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, name, result(t, web(t, tc.serve), long, cluster.Probe{GRPC: &cluster.GRPCProbe{Service: "shop.Cart"}}), tc.want)
		})
	}
}

func TestGRPCOfOtherProtocols(t *testing.T) {
	p := cluster.Probe{GRPC: &cluster.GRPCProbe{}}
	garbage := listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n") })
	if got := result(t, garbage, long, p); got == "" {
		t.Error("a server of HTTP/1.1 passes")
	}
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	want(t, "silence", result(t, silent, brief, p), "no answer within 200ms")
}

func TestServingSkipsWhatItDoesNotKnow(t *testing.T) {
	message := []byte{0x12, 2, 'a', 'b', 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4, 0x08, 1}
	if err := serving(append([]byte{0, 0, 0, 0, byte(len(message))}, message...)); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]byte{{0x08}, {0x12, 9}, {0x19, 1}, {0x0b}, bytes.Repeat([]byte{0xff}, 11), {0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}} {
		if err := serving(append([]byte{0, 0, 0, 0, byte(len(bad))}, bad...)); err == nil {
			t.Errorf("% x passes", bad)
		}
	}
}

// FuzzServing: whatever a program answers, reading it ends, and only a frame that
// is whole can be well.
func FuzzServing(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 2, 8, 1})
	f.Add([]byte{0, 0, 0, 0, 4, 0x12, 0, 8, 1})
	f.Fuzz(func(t *testing.T, frame []byte) {
		if err := serving(frame); err == nil && serving(frame[:len(frame)-1]) == nil {
			t.Errorf("% x passes with and without its last byte", frame)
		}
	})
}
