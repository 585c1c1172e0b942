package cluster

import (
	"math"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSettingsChange(t *testing.T) {
	policy, queue := PolicySpread, QueueFair
	before := Settings{Policy: PolicyBinpack, Weights: map[string]float64{"a": 2, "b": 3}}
	for name, tt := range map[string]struct {
		change SettingsChange
		want   Settings
	}{
		"nothing":  {SettingsChange{}, before},
		"policy":   {SettingsChange{Policy: &policy}, Settings{Policy: PolicySpread, Weights: before.Weights}},
		"queue":    {SettingsChange{Queue: &queue}, Settings{Policy: PolicyBinpack, Queue: QueueFair, Weights: before.Weights}},
		"a weight": {SettingsChange{Weights: map[string]float64{"a": 0, "c": 4}}, Settings{Policy: PolicyBinpack, Weights: map[string]float64{"b": 3, "c": 4}}},
	} {
		if d := cmp.Diff(tt.want, before.With(tt.change), cmpopts.EquateComparable(netip.Prefix{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if len(before.Weights) != 2 || before.Weights["a"] != 2 {
		t.Errorf("the settings before were changed: %+v", before)
	}
}

func TestBadSettings(t *testing.T) {
	for name, s := range map[string]Settings{
		"policy":         {Policy: "best"},
		"fixed":          {Policy: PolicyFixed},
		"queue":          {Queue: "fifo"},
		"weight below 0": {Weights: map[string]float64{"a": -1}},
		"not a number":   {Weights: map[string]float64{"a": math.NaN()}},
		"endless weight": {Weights: map[string]float64{"a": math.Inf(1)}},
		"no stack":       {Weights: map[string]float64{"A b": 1}},
	} {
		if err := s.Validate(); err == nil {
			t.Errorf("%s: %+v is let through", name, s)
		}
	}
	if err := (Settings{Policy: PolicySpread, Queue: QueueFair, Weights: map[string]float64{"a": 0.5}}).Validate(); err != nil {
		t.Error(err)
	}
}
