package lb

import "time"

// Shares of a backend: it begins with a tenth, as one without any connection
// would never get warm.
const (
	wholeShare = 100
	firstShare = 10
)

// Arrivals remembers since when backends have been in the table, for their slow
// start. It is a value as Health is. Each node counts by its own clock. The zero
// Arrivals knows nobody, and gives all the whole share.
type Arrivals struct {
	since map[Backend]time.Time // zero: before this node began to look
}

// Follow takes in the table that holds from now on. The backends of the first
// one have been there for long, as far as anybody knows.
func (a Arrivals) Follow(t *Table, now time.Time) Arrivals {
	next := map[Backend]time.Time{}
	if a.since == nil {
		now = time.Time{}
	}
	for i := range t.Frontends {
		for _, b := range t.Frontends[i].Backends {
			next[b] = now
			if since, known := a.since[b]; known {
				next[b] = since
			}
		}
	}
	return Arrivals{since: next}
}

// share of the frontend's backend at that place, of wholeShare: it grows evenly.
func (a Arrivals) share(f *Frontend, place int, now time.Time) uint64 {
	since := a.since[f.Backends[place]]
	age := now.Sub(since)
	if since.IsZero() || age >= f.Balance.SlowStart {
		return wholeShare
	}
	return max(firstShare, wholeShare*uint64(max(age, 0))/uint64(f.Balance.SlowStart))
}
