package docker

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
)

func TestFailedCheck(t *testing.T) {
	check := func(code int, output string) *container.HealthcheckResult {
		return &container.HealthcheckResult{ExitCode: code, Output: output}
	}
	for _, c := range []struct {
		name   string
		checks []*container.HealthcheckResult
		want   string
	}{
		{"none", nil, ""},
		{"the last one passed", []*container.HealthcheckResult{check(1, "no"), check(0, "yes")}, ""},
		{"in one line", []*container.HealthcheckResult{check(0, "yes"), check(1, "no\n  such table\n")}, "no such table"},
		{"silent", []*container.HealthcheckResult{check(7, "\n")}, "exit code 7"},
		{"cut within a character", []*container.HealthcheckResult{check(1, strings.Repeat("x", 199)+"ü")}, strings.Repeat("x", 199) + "..."},
	} {
		if got := failedCheck(c.checks); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
