package cluster

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
)

// version is a number, which has no parts, or a version with up to four.
type version struct {
	number float64
	parts  [4]uint64
	dotted bool
	// pre is what follows a hyphen: a version with it comes before the same
	// one without.
	pre string
}

// parseVersion reads what the user compares with: "v1.10" and "1.10.0" are
// versions, "1.10" is a number.
func parseVersion(s string) (v version, ok bool) {
	if strings.HasPrefix(s, "v") || strings.Count(s, ".") > 1 {
		return version{dotted: true}.parseAs(s)
	}
	return version{}.parseAs(s)
}

// parseAs reads s as what v is: a number or a version.
func (v version) parseAs(s string) (out version, ok bool) {
	if !v.dotted {
		f, err := strconv.ParseFloat(s, 64)
		return version{number: f}, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	out.dotted = true
	core, _, _ := strings.Cut(strings.TrimPrefix(s, "v"), "+")
	core, out.pre, _ = strings.Cut(core, "-")
	fields := strings.Split(core, ".")
	if len(fields) > len(out.parts) {
		return out, false
	}
	for i, field := range fields {
		n, err := strconv.ParseUint(field, 10, 63)
		if err != nil {
			return out, false
		}
		out.parts[i] = n
	}
	return out, true
}

func (v version) compare(o version) int {
	if !v.dotted {
		return cmp.Compare(v.number, o.number)
	}
	if c := slices.Compare(v.parts[:], o.parts[:]); c != 0 {
		return c
	}
	switch {
	case v.pre == o.pre:
		return 0
	case v.pre == "":
		return 1
	case o.pre == "":
		return -1
	}
	return strings.Compare(v.pre, o.pre)
}
