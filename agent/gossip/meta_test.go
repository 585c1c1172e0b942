package gossip

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/hashicorp/memberlist"
)

func TestMetaOfOtherVersions(t *testing.T) {
	newer, err := cbor.Marshal(map[int]any{1: clusterA, 3: true, 99: []string{"not known yet"}})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := decodeMeta(newer); err != nil || m != (Meta{ClusterID: clusterA, Voter: true}) {
		t.Errorf("newer: %+v, %v", m, err)
	}
	for name, data := range map[string][]byte{
		"empty":     nil,
		"garbage":   {0xff, 0x00},
		"too long":  bytes.Repeat([]byte{0xa0}, memberlist.MetaMaxSize+1),
		"two keys":  {0xa2, 0x04, 0x61, 'a', 0x04, 0x61, 'b'},
		"not a map": {0x01},
		"trailing":  {0xa0, 0xa0},
	} {
		if m, err := decodeMeta(data); err == nil {
			t.Errorf("%s: read as %+v", name, m)
		}
	}
}

func FuzzDecodeMeta(f *testing.F) {
	seed, err := encodeMeta(Meta{ClusterID: clusterA, APIPort: 7070, Voter: true, Version: "v1", Leader: "x", Incarnation: 1 << 40})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeMeta(data)
		if err != nil {
			return
		}
		again, err := encodeMeta(m)
		if err != nil {
			t.Fatalf("%+v came in and cannot go out: %v", m, err)
		}
		if back, err := decodeMeta(again); err != nil || back != m {
			t.Errorf("%+v became %+v, %v", m, back, err)
		}
	})
}

func TestLogLines(t *testing.T) {
	var b strings.Builder
	logger := newLogger(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})))
	for line, want := range map[string]string{
		"[INFO] memberlist: Marking n1 as failed, suspect timeout reached (1 peer confirmations)": `level=INFO msg="Marking n1 as failed, suspect timeout reached (1 peer confirmations)" from=memberlist`,
		"[ERR] memberlist: Failed push/pull merge: refused from=1.2.3.4":                          `level=WARN msg="Failed push/pull merge: refused from=1.2.3.4" from=memberlist`,
		"[ERR] memberlist: Decrypt packet failed: no key":                                         `level=DEBUG msg="Decrypt packet failed: no key" from=memberlist`,
		"[DEBUG] memberlist: Stream connection from=1.2.3.4":                                      `level=DEBUG msg="Stream connection from=1.2.3.4" from=memberlist`,
		"Err: Could not set the deadline":                                                         `level=DEBUG msg="Err: Could not set the deadline" from=memberlist`,
	} {
		b.Reset()
		logger.Print(line)
		if got := strings.TrimSpace(b.String()); got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
}
