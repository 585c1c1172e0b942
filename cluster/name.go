package cluster

import (
	"fmt"
	"strings"
)

// MaxNameLength is the longest stack, service, volume or label name, in bytes:
// one DNS label (RFC 1035, section 2.3.4).
const MaxNameLength = 63

// ServiceID names a service within the cluster: "stack/service".
type ServiceID string

// NewServiceID joins a stack and a service name.
func NewServiceID(stack, service string) ServiceID {
	return ServiceID(stack + "/" + service)
}

// Stack is the part before the slash.
func (id ServiceID) Stack() string {
	stack, _, _ := strings.Cut(string(id), "/")
	return stack
}

// Name is the part behind the slash.
func (id ServiceID) Name() string {
	_, name, _ := strings.Cut(string(id), "/")
	return name
}

// ValidateName reports whether name may name the given field's object:
// [a-z0-9]([a-z0-9-]*[a-z0-9])?, at most MaxNameLength bytes. The returned
// error is a *FieldError.
func ValidateName(field, name string) error {
	switch {
	case name == "":
		return Invalid(field, "is empty", "give it a name such as \"web\"")
	case len(name) > MaxNameLength:
		return Invalid(field, fmt.Sprintf("%q has %d characters, at most %d are allowed", clip(name), len(name), MaxNameLength), "shorten it")
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		alnum := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if alnum || c == '-' && i > 0 && i < len(name)-1 {
			continue
		}
		return Invalid(field, fmt.Sprintf("%q has %q at position %d", clip(name), c, i+1),
			"use lower-case letters, digits and inner hyphens")
	}
	return nil
}

// clip shortens user input that an error message repeats.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "..."
}
