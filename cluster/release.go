package cluster

import (
	"fmt"
	"time"
)

// Outcome is what the leader found of a generation once its tasks were tried.
type Outcome string

// Outcomes. The empty one is not known yet: the update is under way, or there
// was nothing to try.
const (
	OutcomeGood   Outcome = "good"   // all tasks were ready, and stayed so
	OutcomePaused Outcome = "paused" // too many failed; nothing more is replaced
	OutcomeFailed Outcome = "failed" // too many failed; the service went back
)

// Release is what is known of a generation besides its template.
type Release struct {
	Outcome Outcome `cbor:"1,keyasint,omitempty" json:"outcome,omitempty"`
	Reason  string  `cbor:"2,keyasint,omitempty" json:"reason,omitempty"` // of the outcome
	Note    Note    `cbor:"3,keyasint,omitzero" json:"note,omitzero"`
	// Canary is how many tasks the generation has until it is promoted; 0: all.
	Canary int `cbor:"4,keyasint,omitempty" json:"canary,omitempty"`
}

// Note says who asked for a change, and why.
type Note struct {
	Author  string `cbor:"1,keyasint,omitempty" json:"author,omitempty"`
	Message string `cbor:"2,keyasint,omitempty" json:"message,omitempty"`
}

// Bounds of a Note, in bytes.
const (
	MaxAuthor  = 256
	MaxMessage = 4 << 10
)

// Validate reports the first rule that n breaks as a *FieldError.
func (n Note) Validate() error {
	for _, part := range []struct {
		name, text string
		limit      int
	}{{"author", n.Author, MaxAuthor}, {"message", n.Message, MaxMessage}} {
		if len(part.text) > part.limit {
			return Invalid(part.name, fmt.Sprintf("takes %d bytes, at most %d are allowed", len(part.text), part.limit), "say it in fewer words")
		}
		if err := checkString(part.name, part.text); err != nil {
			return err
		}
	}
	return nil
}

// Return is a service's way back to a generation that it had before.
type Return struct {
	From   uint64    `cbor:"1,keyasint" json:"from"` // the generation that was left
	At     time.Time `cbor:"2,keyasint" json:"at"`
	Reason string    `cbor:"3,keyasint,omitempty" json:"reason,omitempty"`
	// Outcome is of the return itself: empty as long as it is under way, good
	// or paused.
	Outcome Outcome `cbor:"4,keyasint,omitempty" json:"outcome,omitempty"`
	Note    Note    `cbor:"5,keyasint,omitzero" json:"note,omitzero"` // none: the leader did it
}

// Outcome is how far the service's tasks are with the current generation, on
// the way to it or back to it.
func (s *Service) Outcome() Outcome {
	if s.Returned != nil {
		return s.Returned.Outcome
	}
	return s.Release.Outcome
}

func (s *Service) returning() bool { return s.Returned != nil && s.Returned.Outcome != OutcomeGood }

// LastGood is the good generation that was current last, the present one aside:
// the one that a failed update returns to.
func (s *Service) LastGood() (g Generation, ok bool) {
	for i := range s.History {
		if s.History[i].Release.Outcome == OutcomeGood {
			g, ok = s.History[i], true
		}
	}
	return g, ok
}

// Updating reports whether the service is between a good generation and another
// that has yet to be tried.
func (s *Service) Updating() bool {
	if s.Returned != nil {
		return s.Returned.Outcome == ""
	}
	_, ok := s.LastGood()
	return ok && s.Release.Outcome == ""
}

// OnTrial reports whether the present generation is a canary: it waits for its
// promotion with a few tasks.
func (s *Service) OnTrial() bool {
	return s.Returned == nil && s.Release.Outcome == "" && s.Release.Canary > 0
}

// Newest is the highest number that a generation of the service has.
func (s *Service) Newest() uint64 {
	n := s.Generation
	for i := range s.History {
		n = max(n, s.History[i].Number)
	}
	return n
}
