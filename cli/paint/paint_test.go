package paint

import "testing"

func TestOn(t *testing.T) {
	for _, tc := range []struct {
		s          Style
		text, want string
	}{
		{Red, "down", "\x1b[31mdown\x1b[0m"},
		{Plain, "down", "down"},
		{Red, "", ""},
		{Red, "  ", "  "},
	} {
		if got := tc.s.On(tc.text); got != tc.want {
			t.Errorf("%q on %q = %q", tc.s, tc.text, got)
		}
	}
}

func TestState(t *testing.T) {
	for state, want := range map[string]Style{"running": Green, "ready": Green, "lost": Red, "stopped": Plain, "pending": Yellow, "away": Yellow} {
		if got := State(state); got != want {
			t.Errorf("%s is %q", state, got)
		}
	}
}

func TestPrintable(t *testing.T) {
	const said, want = "two\nlines\tand \x1b[2J\x07 \x7f\u009b31m é世", "two lines and [2J 31m é世"
	if got := Printable(said); got != want {
		t.Errorf("Printable = %q, want %q", got, want)
	}
}
