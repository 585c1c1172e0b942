package cluster

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestValidateName(t *testing.T) {
	for name, ok := range map[string]bool{
		"a":                          true,
		"0":                          true,
		"web-1":                      true,
		"a--b":                       true,
		strings.Repeat("a", 63):      true,
		strings.Repeat("a", 64):      false,
		"":                           false,
		"-a":                         false,
		"a-":                         false,
		"-":                          false,
		"Web":                        false,
		"web_1":                      false,
		"web.1":                      false,
		"..":                         false,
		"../etc":                     false,
		"a/b":                        false,
		"a b":                        false,
		"a\x00":                      false,
		"a\n":                        false,
		"\u00e9":                     false,
		"\xff":                       false,
		strings.Repeat("x", 1<<20):   false,
		"muster.":                    false,
		"%2e%2e":                     false,
		"web\u200b":                  false,
		strings.Repeat("\u00e9", 40): false,
	} {
		err := ValidateName("services", name)
		if (err == nil) != ok {
			t.Errorf("ValidateName(%.40q) = %v, want ok = %v", name, err, ok)
		}
		var fe *FieldError
		if err != nil && (!errors.As(err, &fe) || fe.Field != "services" || fe.Hint == "") {
			t.Errorf("ValidateName(%.40q) = %#v, want a field error with a hint", name, err)
		}
		if err != nil && len(err.Error()) > 500 {
			t.Errorf("ValidateName(%.40q) repeats %d bytes of input", name, len(err.Error()))
		}
	}
}

func TestValidateNameIsItsPattern(t *testing.T) {
	pattern := regexp.MustCompile(`\A[a-z0-9]([a-z0-9-]*[a-z0-9])?\z`)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-zA-Z0-9_./-]{0,70}`).Draw(t, "name")
		want := pattern.MatchString(name) && len(name) <= MaxNameLength
		if got := ValidateName("name", name) == nil; got != want {
			t.Fatalf("ValidateName(%q) accepts: %v, want %v", name, got, want)
		}
	})
}

func TestServiceID(t *testing.T) {
	id := NewServiceID("shop", "web")
	if id != "shop/web" || id.Stack() != "shop" || id.Name() != "web" {
		t.Errorf("%q splits into %q and %q", id, id.Stack(), id.Name())
	}
	if alone := ServiceID("web"); alone.Name() != "" {
		t.Errorf("an ID without a slash has the name %q", alone.Name())
	}
}
