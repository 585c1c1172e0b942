package cluster

import "fmt"

// DependCondition is what a service waits for in another before its first task
// starts, in Compose's words.
type DependCondition string

// Conditions of a Dependency.
const (
	DependStarted   DependCondition = "service_started" // a container of it runs
	DependHealthy   DependCondition = "service_healthy" // one is healthy, or runs where nothing checks it
	DependCompleted DependCondition = "service_completed_successfully"
)

// MaxDependencies is how many services one may wait for.
const MaxDependencies = 64

// Dependency is a service of the same stack that another waits for. It orders a
// stack's first start only: once a task of the waiting service was ready, its
// other tasks wait for nobody.
type Dependency struct {
	Service   string          `cbor:"1,keyasint" json:"service"`
	Condition DependCondition `cbor:"2,keyasint,omitempty" json:"condition,omitempty"` // "": DependStarted
	// Optional: a service that is not there is not waited for.
	Optional bool `cbor:"3,keyasint,omitempty" json:"optional,omitempty"`
}

// Validate reports the first rule that d breaks as a *FieldError.
func (d Dependency) Validate(field string) error {
	if err := ValidateName(field, d.Service); err != nil {
		return err
	}
	switch d.Condition {
	case "", DependStarted, DependHealthy, DependCompleted:
		return nil
	}
	return Invalid(at(field, "condition"), fmt.Sprintf("%q is not a condition", clip(string(d.Condition))),
		"use service_started, service_healthy or service_completed_successfully")
}

func validateDependencies(field string, all []Dependency) error {
	if len(all) > MaxDependencies {
		return Invalid(field, fmt.Sprintf("has %d entries, at most %d are allowed", len(all), MaxDependencies), "wait for those that the others wait for")
	}
	for _, d := range all {
		if err := d.Validate(at(field, d.Service)); err != nil {
			return err
		}
	}
	return nil
}
