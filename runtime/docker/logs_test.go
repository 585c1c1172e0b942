package docker

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const stamp = "2026-11-01T12:00:00.000000001Z "

// frame is one frame of the engine's multiplexed stream.
func frame(stream byte, text string) string {
	header := make([]byte, 8)
	header[0] = stream
	binary.BigEndian.PutUint32(header[4:], uint32(len(text)))
	return string(header) + text
}

type lines struct{ got []string }

func (l *lines) Log(at time.Time, stream string, text []byte) error {
	l.got = append(l.got, stream+" "+at.Format("05.000000000")+" "+string(text))
	return nil
}

func TestFrames(t *testing.T) {
	later := strings.Replace(stamp, ":00.", ":07.", 1)
	for name, tc := range map[string]struct {
		in      string
		want    []string
		wantErr bool
	}{
		"nothing":        {in: ""},
		"two streams":    {in: frame(1, stamp+"a\n") + frame(2, later+"b\r\n"), want: []string{"stdout 00.000000001 a", "stderr 07.000000001 b"}},
		"line in pieces": {in: frame(1, stamp+"a") + frame(2, stamp+"x\n") + frame(1, later+"b\n"), want: []string{"stderr 00.000000001 x", "stdout 00.000000001 ab"}},
		"no last break":  {in: frame(1, stamp+"a"), want: []string{"stdout 00.000000001 a"}},
		"empty line":     {in: frame(1, stamp+"\n"), want: []string{"stdout 00.000000001 "}},
		"no time":        {in: frame(1, "plain text\n"), want: []string{"stdout 00.000000000 plain text"}},
		"cut short":      {in: frame(1, stamp+"a\n")[:12], wantErr: true},
		"engine's error": {in: frame(3, "disk is gone"), wantErr: true},
		"absurd length":  {in: "\x01\x00\x00\x00\xff\xff\xff\xff", wantErr: true},
	} {
		t.Run(name, func(t *testing.T) {
			var got lines
			err := copyFrames(strings.NewReader(tc.in), &got)
			if (err != nil) != tc.wantErr {
				t.Errorf("error = %v, want one: %v", err, tc.wantErr)
			}
			if diff := cmp.Diff(tc.want, got.got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRawTerminal(t *testing.T) {
	var got lines
	long := strings.Repeat("x", 100<<10)
	if err := copyRaw(strings.NewReader(stamp+"a\r\n"+stamp+long+"\n"+stamp+"rest"), &got); err != nil {
		t.Fatal(err)
	}
	want := []string{"stdout 00.000000001 a", "stdout 00.000000001 " + long, "stdout 00.000000001 rest"}
	if diff := cmp.Diff(want, got.got); diff != "" {
		t.Error(diff)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte(frame(1, stamp+"a\n") + frame(2, "b")))
	f.Add([]byte("\x01\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var got lines
		_ = copyFrames(bytes.NewReader(in), &got)
		if len(got.got) > len(in) {
			t.Errorf("%d lines out of %d bytes", len(got.got), len(in))
		}
	})
}
