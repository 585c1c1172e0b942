package state

import (
	"fmt"
	"strings"

	"github.com/musterhq/muster/cluster"
)

func (c Rollback) apply(tx *tx) error {
	old, err := tx.service(c.Service)
	if err != nil {
		return err
	}
	g, err := earlier(old, c.To)
	if err != nil {
		return err
	}
	if err := tx.refuseLinks(old.ID, &g.Template); err != nil {
		return err
	}
	s := *old
	tx.returnTo(&s, g, asked(c.Note), c.Note)
	tx.outcome = append(tx.outcome, ServiceChange{s.ID, "rolled back", s.Generation})
	tx.event(Event{
		Type: "service", Action: "rolled-back", Object: string(s.ID), Service: string(s.ID),
		Message: fmt.Sprintf("from generation %d to %d: %s", s.Returned.From, s.Generation, s.Returned.Reason),
	})
	return nil
}

// earlier finds a generation to return to.
func earlier(s *cluster.Service, number uint64) (cluster.Generation, error) {
	if number == 0 {
		if g, ok := s.LastGood(); ok {
			return g, nil
		}
		if n := len(s.History); n > 0 {
			return s.History[n-1], nil
		}
		return cluster.Generation{}, &Error{CodeConflict, fmt.Sprintf("%s has no earlier generation to go back to", s.ID)}
	}
	for _, g := range s.History {
		if g.Number == number {
			return g, nil
		}
	}
	if number == s.Generation {
		return cluster.Generation{}, &Error{CodeConflict, fmt.Sprintf("%s is at generation %d already", s.ID, number)}
	}
	return cluster.Generation{}, &Error{CodeNotFound, fmt.Sprintf("generation %d of %s is not kept; `muster history %s` lists those that are", number, s.ID, s.ID)}
}

// asked is the reason of a change that somebody asked for.
func asked(n cluster.Note) string {
	out := "asked for"
	if n.Author != "" {
		out += " by " + n.Author
	}
	if n.Message != "" {
		out += ": " + strings.ReplaceAll(n.Message, "\n", " ")
	}
	return out
}

func (c Promote) apply(tx *tx) error {
	old, err := tx.service(c.Service)
	switch {
	case err != nil:
		return err
	case old.Generation != c.Generation:
		return &Error{CodeConflict, fmt.Sprintf("%s is at generation %d, not %d; look at it again: muster history %s", old.ID, old.Generation, c.Generation, old.ID)}
	case !old.OnTrial():
		return &Error{CodeConflict, fmt.Sprintf("generation %d of %s is no canary that waits for a promotion", old.Generation, old.ID)}
	}
	s := *old
	s.Release.Canary = 0
	tx.putService(&s)
	tx.outcome = append(tx.outcome, ServiceChange{s.ID, "promoted", s.Generation})
	tx.event(Event{
		Type: "service", Action: "promoted", Object: string(s.ID), Service: string(s.ID),
		Message: fmt.Sprintf("generation %d, %s", s.Generation, asked(c.Note)),
	})
	return nil
}
