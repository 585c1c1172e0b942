package cluster

import (
	"errors"
	"fmt"
)

// FieldError says which field of the user's input is wrong, why, and what to
// do about it.
type FieldError struct {
	Field  string // as the user wrote it: "services.web.deploy.replicas"
	Reason string
	Hint   string // may be empty
}

// Invalid makes a *FieldError.
func Invalid(field, reason, hint string) *FieldError {
	return &FieldError{Field: field, Reason: reason, Hint: hint}
}

func (e *FieldError) Error() string {
	if e.Hint == "" {
		return fmt.Sprintf("%s: %s", e.Field, e.Reason)
	}
	return fmt.Sprintf("%s: %s; %s", e.Field, e.Reason, e.Hint)
}

// Within prefixes the field of a *FieldError with the place that holds it.
func Within(prefix string, err error) error {
	var fe *FieldError
	if errors.As(err, &fe) {
		return &FieldError{Field: prefix + "." + fe.Field, Reason: fe.Reason, Hint: fe.Hint}
	}
	return err
}
