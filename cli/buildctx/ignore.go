package buildctx

import (
	"fmt"
	"path"
	"regexp"
	"strings"
)

// rules are the lines of a .dockerignore in order; the last that matches a path
// or a directory above it decides.
type rules []rule

type rule struct {
	pattern *regexp.Regexp
	include bool // the line began with "!"
}

// parseRules reads the lines of a .dockerignore.
func parseRules(content string) (rules, error) {
	var out rules
	content = strings.TrimPrefix(content, "\ufeff")
	for line := range strings.Lines(content) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		line = strings.TrimSpace(line)
		text, include := strings.CutPrefix(line, "!")
		text = strings.TrimPrefix(path.Clean(strings.TrimSpace(text)), "/")
		if line == "" || text == "." || text == "" {
			continue
		}
		pattern, err := compile(text)
		if err != nil {
			return nil, fmt.Errorf("the pattern %q is not understood: %w", line, err)
		}
		out = append(out, rule{pattern, include})
	}
	return out, nil
}

// exclude reports whether the path, relative and with slashes, is left out.
func (r rules) exclude(name string) bool {
	excluded := false
	for _, rule := range r {
		if rule.include == excluded && rule.matches(name) {
			excluded = !rule.include
		}
	}
	return excluded
}

// reenter reports whether something below an excluded directory may be included.
func (r rules) reenter() bool {
	for _, rule := range r {
		if rule.include {
			return true
		}
	}
	return false
}

func (r rule) matches(name string) bool {
	for ; name != "."; name = path.Dir(name) {
		if r.pattern.MatchString(name) {
			return true
		}
	}
	return false
}

// compile turns the syntax of path.Match, with "**" for any number of
// directories, into a regular expression.
func compile(text string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case strings.HasPrefix(text[i:], "**/"):
			b.WriteString("(.*/)?")
			i += 2
		case strings.HasPrefix(text[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '[' || c == ']':
			b.WriteByte(c)
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteString(regexp.QuoteMeta(text[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(text[i : i+1]))
		}
	}
	b.WriteString("$")
	return regexp.Compile(b.String())
}
