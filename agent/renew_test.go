package agent

import (
	"crypto/x509"
	"testing"
	"time"
)

func TestDueForRenewal(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cert := &x509.Certificate{NotBefore: from, NotAfter: from.Add(90 * 24 * time.Hour)}
	for day, want := range map[int]bool{0: false, 59: false, 61: true, 89: true, 200: true} {
		if got := dueForRenewal(cert, from.Add(time.Duration(day)*24*time.Hour)); got != want {
			t.Errorf("day %d: due %v", day, got)
		}
	}
}
