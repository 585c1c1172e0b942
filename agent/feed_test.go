package agent

import "testing"

func TestPositionsOfAnotherHistoryAreToldApart(t *testing.T) {
	for _, tc := range []struct {
		p, o position
		want bool
	}{
		{position{1, 1}, position{1, 2}, true},
		{position{1, 2}, position{1, 2}, false},
		{position{1, 9}, position{2, 1}, true},
		{position{2, 1}, position{1, 9}, false},
	} {
		if got := tc.p.before(tc.o); got != tc.want {
			t.Errorf("%v before %v = %v", tc.p, tc.o, got)
		}
	}
}
