package agent

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWhenTheBallastIsKept(t *testing.T) {
	const big, small = 100 << 30, 96 << 20
	for name, tc := range map[string]struct {
		free, size      int64
		ballast, worker bool
		keep, release   bool
	}{
		"plenty of room":                 {free: 50 << 30, size: big, keep: true},
		"on a worker":                    {free: 50 << 30, size: big, worker: true},
		"there is one":                   {free: 50 << 30, size: big, ballast: true},
		"a worker gives it up":           {free: 50 << 30, size: big, ballast: true, worker: true, release: true},
		"room is low":                    {free: lowRoom, size: big},
		"just enough for both":           {free: lowRoom + maxBallast, size: big, keep: true},
		"low is not full":                {free: 5 << 20, size: big, ballast: true},
		"full":                           {free: 3 << 20, size: big, ballast: true, release: true},
		"full without one":               {free: 3 << 20, size: big},
		"a small disk":                   {free: 80 << 20, size: small, keep: true},
		"a small disk that is full":      {free: 1 << 20, size: small, ballast: true, release: true},
		"a small disk that is low":       {free: 2 << 20, size: small, ballast: true},
		"the disk could not be measured": {ballast: true, worker: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := &diskWatch{free: tc.free, size: tc.size, ballast: tc.ballast}
			if keep, release := w.tend(!tc.worker); keep != tc.keep || release != tc.release {
				t.Errorf("keep %v, release %v", keep, release)
			}
		})
	}
}

// What is kept must be room, not a file with a hole.
func TestBallastTakesRoom(t *testing.T) {
	d := &dataDir{path: t.TempDir()}
	if freed, err := d.freeBallast(); freed != 0 || err != nil {
		t.Errorf("without one %d bytes are freed: %v", freed, err)
	}
	const size = 1 << 20
	if err := d.keepBallast(size); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(d.path, ballastFile))
	if err != nil {
		t.Fatal(err)
	}
	if taken := info.Sys().(*syscall.Stat_t).Blocks * 512; taken < size || !d.hasBallast() {
		t.Errorf("it takes %d bytes of %d", taken, size)
	}
	if freed, err := d.freeBallast(); freed != size || err != nil || d.hasBallast() {
		t.Errorf("%d bytes are freed: %v", freed, err)
	}
}
