package cluster

import (
	"encoding/json"
	"fmt"
	"time"
)

// Bounds of one service and one stack. They keep a mistyped file from becoming
// ten million tasks and one deploy from filling the log of the cluster.
const (
	MaxReplicas  = 10_000
	MaxServices  = 1_000   // of one stack
	MaxSpecSize  = 1 << 20 // bytes of one encoded ServiceSpec
	MaxStackSize = 4 << 20 // bytes of all encoded specs of a stack
	MaxDuration  = 365 * 24 * time.Hour
)

// Validate reports the first rule that s breaks as a *FieldError. field is the
// place of s in what the user wrote ("services.web"; "" for none) and the names
// below it are Compose's.
func (s *ServiceSpec) Validate(field string) error {
	_, err := s.validate(field)
	return err
}

// validate also returns the size of the encoded spec in bytes.
func (s *ServiceSpec) validate(field string) (size int, err error) {
	err = first(
		validateText(field, s),
		s.validateScale(at(field, "deploy")),
		s.Template.Validate(field),
		s.Update.Validate(at(field, "deploy.update_config")),
		s.validateRollback(at(field, "deploy.rollback_config")),
		validatePreferences(at(field, "deploy.placement.preferences"), s.Preferences),
		s.Placement.Validate(at(field, "x-muster")),
		s.Balance.Validate(at(field, "x-muster.balance")),
		validateDependencies(at(field, "depends_on"), s.DependsOn),
	)
	if err != nil {
		return 0, err
	}
	return encodedSize(field, s)
}

func (s *ServiceSpec) validateScale(field string) error {
	switch s.Mode {
	case Replicated:
		return validateCount(at(field, "replicas"), s.Replicas, MaxReplicas, "give a number of tasks such as 3")
	case Global:
		if s.Replicas != 0 {
			return Invalid(at(field, "replicas"), "is set for a global service, which has one task on every node",
				"remove it, or use mode: replicated")
		}
		return nil
	}
	return Invalid(at(field, "mode"), fmt.Sprintf("%q is not a mode", clip(string(s.Mode))), "use replicated or global")
}

func (s *ServiceSpec) validateRollback(field string) error {
	switch {
	case s.Rollback == nil:
		return nil
	case s.Rollback.FailureAction == ActionRollback:
		return Invalid(at(field, "failure_action"), "is rollback, and this is the rollback", "use pause or continue")
	}
	return s.Rollback.Validate(field)
}

// Validate reports the first rule that u breaks as a *FieldError; field is the
// place of u.
func (u Update) Validate(field string) error {
	switch u.Order {
	case "", StartFirst, StopFirst:
	default:
		return Invalid(at(field, "order"), fmt.Sprintf("%q is not an order", clip(string(u.Order))), "use start-first or stop-first")
	}
	switch u.FailureAction {
	case "", ActionPause, ActionContinue, ActionRollback:
	default:
		return Invalid(at(field, "failure_action"), fmt.Sprintf("%q is not an action", clip(string(u.FailureAction))), "use pause, continue or rollback")
	}
	if !(u.MaxFailureRatio >= 0 && u.MaxFailureRatio <= 1) { // NaN is neither
		return Invalid(at(field, "max_failure_ratio"), fmt.Sprintf("%g is not between 0 and 1", u.MaxFailureRatio), "give the part of the tasks that may fail, such as 0.1")
	}
	return first(
		validateCount(at(field, "parallelism"), u.Parallelism, MaxReplicas, "give a number of tasks such as 1"),
		validateCount(at(field, "canary"), u.Canary, MaxReplicas, "give a number of tasks such as 1"),
		validateDuration(at(field, "delay"), u.Delay),
		validateDuration(at(field, "monitor"), u.Monitor),
		validateDuration(at(field, "progress_deadline"), u.ProgressDeadline),
	)
}

// Validate reports the first rule that p breaks as a *FieldError; field is the
// place of p.
func (p RestartPolicy) Validate(field string) error {
	switch p.Condition {
	case "", RestartAny, RestartOnFailure, RestartNever:
	default:
		return Invalid(at(field, "condition"), fmt.Sprintf("%q is not a condition", clip(string(p.Condition))),
			"use any, on-failure or none")
	}
	const maxAttempts = 1_000_000
	return first(
		validateCount(at(field, "max_attempts"), p.MaxAttempts, maxAttempts, "leave it out for no limit"),
		validateDuration(at(field, "delay"), p.Delay),
		validateDuration(at(field, "window"), p.Window),
	)
}

// encodedSize bounds the spec by its JSON form, which no encoding in use exceeds.
func encodedSize(field string, s *ServiceSpec) (int, error) {
	data, err := json.Marshal(s)
	switch {
	case err != nil:
		return 0, Invalid(field, "cannot be encoded: "+err.Error(), "")
	case len(data) > MaxSpecSize:
		return 0, Invalid(field, fmt.Sprintf("takes %s, at most %s are allowed", FormatBytes(int64(len(data))), FormatBytes(MaxSpecSize)),
			"move large values out of environment, labels and command into the image or a volume")
	}
	return len(data), nil
}

func validateCount(field string, n, limit int, hint string) error {
	switch {
	case n < 0:
		return Invalid(field, fmt.Sprintf("%d is negative", n), hint)
	case n > limit:
		return Invalid(field, fmt.Sprintf("%d is more than the allowed %d", n, limit), hint)
	}
	return nil
}

func validateDuration(field string, d time.Duration) error {
	switch {
	case d < 0:
		return Invalid(field, fmt.Sprintf("%s is negative", d), "give a time such as 10s")
	case d > MaxDuration:
		return Invalid(field, fmt.Sprintf("%s is more than a year", d), "give a time such as 10s")
	}
	return nil
}

// first returns the first error that is not nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// at joins the place of a holder and the name of its part.
func at(field, name string) string {
	switch {
	case field == "":
		return name
	case name == "":
		return field
	}
	return field + "." + name
}
