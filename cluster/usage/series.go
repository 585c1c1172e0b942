package usage

import (
	"math"
	"slices"
	"time"
)

// Sizes of a history.
const (
	recent  = 60               // samples for the percentile: 15 minutes of one every Every
	quarter = 15 * time.Minute // one place of the daily profile
	places  = int(24 * time.Hour / quarter)
	// learned is how many days a place of the profile must have been seen on
	// before a forecast trusts it.
	learned = 2
	// memory is the time in which the level forgets: a sample's weight is
	// 1 - exp(-gap/memory), so that it does not depend on the pace.
	memory = 5 * time.Minute
	// yesterday is the weight of a place's newest day beside those before it.
	yesterday = 0.5
)

// Every is the pace at which samples are expected.
const Every = 15 * time.Second

// Series is the history of one amount, in its own unit. The zero value knows
// nothing.
type Series struct {
	ring  [recent]float32
	count int // of samples so far
	last  time.Time
	level float64 // exponentially weighted mean

	// The daily profile: what each quarter of an hour used on the days before.
	profile *[places]place
	now     int     // the place that is being gathered
	sum     float64 // of it
	n       int
}

// place is a quarter of an hour of the day.
type place struct {
	mean float32
	days uint16
}

// Add takes in a sample. One that is not newer than the last is left out.
func (s *Series) Add(at time.Time, v float64) {
	if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) || (s.count > 0 && !at.After(s.last)) {
		return
	}
	if s.count == 0 {
		s.level, s.now = v, placeOf(at)
	} else {
		weight := 1 - math.Exp(-float64(at.Sub(s.last))/float64(memory))
		s.level += weight * (v - s.level)
	}
	s.ring[s.count%recent] = float32(v)
	s.count++
	if here := placeOf(at); here != s.now || at.Sub(s.last) > quarter {
		s.close()
		s.now = here
	}
	s.sum, s.n, s.last = s.sum+v, s.n+1, at
}

// close moves the gathered quarter of an hour into the profile.
func (s *Series) close() {
	if s.n == 0 {
		return
	}
	if s.profile == nil {
		s.profile = new([places]place)
	}
	p, mean := &s.profile[s.now], s.sum/float64(s.n)
	if p.days > 0 {
		mean = yesterday*mean + (1-yesterday)*float64(p.mean)
	}
	p.mean = float32(mean)
	p.days = min(p.days+1, math.MaxUint16)
	s.sum, s.n = 0, 0
}

// Last is when the newest sample was taken; zero when there is none.
func (s *Series) Last() time.Time { return s.last }

// P95 is the 95th percentile of the recent samples, by the nearest rank; 0 when
// there is none.
func (s *Series) P95() float64 {
	n := min(s.count, recent)
	if n == 0 {
		return 0
	}
	var sorted [recent]float32
	copy(sorted[:], s.ring[:n])
	slices.Sort(sorted[:n])
	rank := int(math.Ceil(0.95*float64(n))) - 1
	return float64(sorted[rank])
}

// Forecast is the mean that is expected at a time after the newest sample: the
// level now, shifted by how much the profile's place then differs from that of
// now. Where the profile has seen less than two days of either, it is the level.
//
// This is exponential smoothing with an additive season and without a trend
// (Hyndman and Athanasopoulos, Forecasting: Principles and Practice, 3rd
// edition, sections 8.1 and 8.3), the season being a day.
func (s *Series) Forecast(at time.Time) float64 {
	if s.profile == nil {
		return s.level
	}
	here, there := s.profile[placeOf(s.last)], s.profile[placeOf(at)]
	if here.days < learned || there.days < learned {
		return s.level
	}
	return max(0, s.level+float64(there.mean)-float64(here.mean))
}

// Demand is what room should be kept for until the horizon has passed: the
// largest of the recent percentile and the forecasts on the way there.
func (s *Series) Demand(horizon time.Duration) float64 {
	out := s.P95()
	if s.count == 0 {
		return 0
	}
	for ahead := time.Duration(0); ahead <= horizon; ahead += quarter {
		out = max(out, s.Forecast(s.last.Add(ahead)))
	}
	return out
}

// placeOf is the time's quarter of an hour in its day, in UTC.
func placeOf(at time.Time) int {
	at = at.UTC()
	return (at.Hour()*60 + at.Minute()) / int(quarter/time.Minute)
}
