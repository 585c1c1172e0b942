package server

import (
	"slices"
	"testing"
)

// The one that takes longest is given up, and none that is over.
func TestTooManyEndings(t *testing.T) {
	all := newEndings(2)
	var cut []int
	var leave []func()
	for i := range 4 {
		leave = append(leave, enter(all, func() { cut = append(cut, i) }))
		if i == 2 {
			leave[1]()
		}
	}
	if !slices.Equal(cut, []int{0}) {
		t.Errorf("%v were given up, want the first", cut)
	}
	for _, l := range leave {
		l()
	}
	late := &ending{over: true, cut: func() { t.Error("one that was over was cut") }}
	all.Enter(late)
	for range 2 {
		defer enter(all, func() {})()
	}
}
