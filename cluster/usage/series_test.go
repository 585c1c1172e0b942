package usage

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// feed adds samples every Every until the end.
func feed(s *Series, from, to time.Time, v func(time.Time) float64) {
	for at := from; at.Before(to); at = at.Add(Every) {
		s.Add(at, v(at))
	}
}

func near(t *testing.T, what string, got, want, by float64) {
	t.Helper()
	if math.Abs(got-want) > by {
		t.Errorf("%s is %.1f, want %.1f", what, got, want)
	}
}

func TestNothingIsKnown(t *testing.T) {
	var s Series
	if s.P95() != 0 || s.Forecast(monday) != 0 || s.Demand(time.Hour) != 0 || !s.Last().IsZero() {
		t.Errorf("%v %v %v %v, want nothing", s.P95(), s.Forecast(monday), s.Demand(time.Hour), s.Last())
	}
}

func TestP95IsTheNearestRankOfTheRecentSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 1000), 1, 3*recent).Draw(t, "values")
		var s Series
		for i, v := range values {
			s.Add(monday.Add(time.Duration(i)*Every), v)
		}
		kept := slices.Clone(values[max(0, len(values)-recent):])
		slices.Sort(kept)
		atMost := 0
		for _, v := range kept {
			if float32(v) <= float32(s.P95()) {
				atMost++
			}
		}
		if float64(atMost) < 0.95*float64(len(kept)) {
			t.Fatalf("p95 %v has %d of %d at or below it", s.P95(), atMost, len(kept))
		}
		if i, _ := slices.BinarySearchFunc(kept, s.P95(), func(a, b float64) int {
			return int(math.Copysign(1, float64(float32(a)-float32(b))))
		}); float64(i) >= 0.95*float64(len(kept)) {
			t.Fatalf("p95 %v: a smaller sample would do, %v", s.P95(), kept)
		}
	})
}

func TestTheLevelFollowsWithoutADaysHistory(t *testing.T) {
	var s Series
	feed(&s, monday, monday.Add(time.Hour), func(time.Time) float64 { return 100 })
	feed(&s, monday.Add(time.Hour), monday.Add(2*time.Hour), func(time.Time) float64 { return 500 })
	near(t, "the forecast", s.Forecast(s.Last().Add(time.Hour)), 500, 1)
}

func TestTheLevelDoesNotDependOnThePace(t *testing.T) {
	var often, seldom Series
	for _, s := range []*Series{&often, &seldom} {
		s.Add(monday, 0)
	}
	for at := monday.Add(Every); !at.After(monday.Add(5 * time.Minute)); at = at.Add(Every) {
		often.Add(at, 100)
	}
	seldom.Add(monday.Add(5*time.Minute), 100)
	near(t, "the level", often.Forecast(often.Last()), seldom.Forecast(seldom.Last()), 1e-6)
}

// A service that is busy from 9 to 17 o'clock is known to be from the third day.
func TestAForecastKnowsTheDay(t *testing.T) {
	office := func(at time.Time) float64 {
		if h := at.Hour(); h >= 9 && h < 17 {
			return 1000
		}
		return 100
	}
	var s Series
	morning := func(day int) time.Time {
		return monday.AddDate(0, 0, day).Add(8*time.Hour + 45*time.Minute)
	}
	feed(&s, monday, morning(1), office)
	near(t, "the forecast for 9 o'clock after one day", s.Forecast(morning(1).Add(30*time.Minute)), 100, 1)
	feed(&s, morning(1), morning(2), office)
	near(t, "the forecast for 9 o'clock after two", s.Forecast(morning(2).Add(30*time.Minute)), 1000, 20)
	near(t, "that for 8:50", s.Forecast(morning(2).Add(5*time.Minute)), 100, 20)
	near(t, "the demand of the next half hour", s.Demand(30*time.Minute), 1000, 20)
	evening := monday.AddDate(0, 0, 2).Add(16*time.Hour + 50*time.Minute)
	feed(&s, morning(2), evening, office)
	near(t, "the forecast for 17:05", s.Forecast(evening.Add(15*time.Minute)), 100, 20)
	near(t, "the demand still", s.Demand(30*time.Minute), 1000, 20)
}

func TestAForecastIsNeverNegative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Series
		at := monday
		for range rapid.IntRange(0, 400).Draw(t, "samples") {
			at = at.Add(rapid.SampledFrom([]time.Duration{Every, quarter, 7 * time.Hour}).Draw(t, "gap"))
			s.Add(at, rapid.Float64Range(0, 1e12).Draw(t, "v"))
		}
		ahead := time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "ahead"))
		if f := s.Forecast(at.Add(ahead)); f < 0 || math.IsNaN(f) {
			t.Fatalf("forecast %v", f)
		}
		if d := s.Demand(time.Hour); d < s.P95() {
			t.Fatalf("demand %v is less than p95 %v", d, s.P95())
		}
	})
}

func TestBadSamplesAreLeftOut(t *testing.T) {
	var s Series
	s.Add(monday, 100)
	for _, v := range []float64{-1, math.NaN(), math.Inf(1)} {
		s.Add(monday.Add(Every), v)
	}
	s.Add(monday, 900)
	s.Add(monday.Add(-time.Hour), 900)
	if s.P95() != 100 || s.Forecast(monday) != 100 {
		t.Errorf("p95 %v, forecast %v, want 100", s.P95(), s.Forecast(monday))
	}
}
