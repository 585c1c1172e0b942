package compose

import (
	"testing"
)

func TestPreflightBlanksVersion(t *testing.T) {
	for name, tc := range map[string]struct {
		in, want string
		obsolete bool
	}{
		"none":        {"services: {}\n", "services: {}\n", false},
		"first line":  {"version: '3'\nservices: {}\n", "            \nservices: {}\n", true},
		"last line":   {"services: {}\nversion: 3.8", "services: {}\n            ", true},
		"comment":     {"# x\nversion: 3 # old\na: b\n", "# x\n                \na: b\n", true},
		"CRLF":        {"version: 3\r\na: b\r\n", "          \r\na: b\r\n", true},
		"flow":        {"{version: 3, a: b}\n", "{version: 3, a: b}\n", false},
		"nested":      {"a:\n  version: 3\n", "a:\n  version: 3\n", false},
		"two files":   {"version: 3\na: b\n---\nversion: 3\nc: d\n", "          \na: b\n---\n          \nc: d\n", true},
		"with anchor": {"version: &v 3\na: *v\n", "version: &v 3\na: *v\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			content := []byte(tc.in)
			obsolete, err := preflight(content)
			if err != nil {
				t.Fatal(err)
			}
			if string(content) != tc.want || obsolete != tc.obsolete {
				t.Errorf("%q (obsolete: %v), want %q (%v)", content, obsolete, tc.want, tc.obsolete)
			}
		})
	}
}

func TestPortRange(t *testing.T) {
	for s, want := range map[string]int{
		"80":                         0,
		"8080:80":                    0,
		"3000-3999:3000-3999":        1000,
		"1-65535":                    65535,
		"127.0.0.1:1-10:1-10/udp":    10,
		"[::1]:1-10:1-10":            10,
		"10-1":                       0,
		"a-b":                        0,
		"2024-01-02":                 0,
		"some 1-65535 text":          0,
		"0-99999999999999999999":     0,
		"de305d54-75b4-431b-adb2-eb": 0,
	} {
		if got := portRange(s); got != want {
			t.Errorf("portRange(%q) = %d, want %d", s, got, want)
		}
	}
}
