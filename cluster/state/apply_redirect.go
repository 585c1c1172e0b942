package state

import (
	"fmt"

	"github.com/musterhq/muster/cluster"
)

func (c Redirect) apply(tx *tx) error {
	old, err := tx.service(c.Service)
	if err != nil {
		return err
	}
	s, message := *old, "to its own tasks again"
	if c.To != "" {
		if err := tx.refuseRedirect(old, c.To); err != nil {
			return err
		}
		message = fmt.Sprintf("to %s", c.To)
	}
	action := "unchanged"
	if s.Redirect != c.To {
		action, s.Redirect = "redirected", c.To
		tx.putService(&s)
		tx.event(Event{Type: "service", Action: action, Object: string(s.ID), Service: string(s.ID), Message: message + ", " + asked(c.Note)})
	}
	tx.outcome = append(tx.outcome, ServiceChange{s.ID, action, s.Generation})
	return nil
}

// refuseRedirect refuses what would lead nowhere, or on from there.
func (tx *tx) refuseRedirect(from *cluster.Service, id cluster.ServiceID) error {
	for _, s := range tx.services.all("") {
		if s.Redirect == from.ID {
			return &Error{CodeConflict, fmt.Sprintf("%s is redirected to %s; end that first, with `muster redirect %s --off`", s.ID, from.ID, s.ID)}
		}
	}
	to, err := tx.service(id)
	switch {
	case err != nil:
		return err
	case to.ID == from.ID:
		return &Error{CodeInvalid, fmt.Sprintf("%s cannot be redirected to itself; `muster redirect %s --off` has it serve by itself", from.ID, from.ID)}
	case to.Redirect != "":
		return &Error{CodeConflict, fmt.Sprintf("%s is redirected to %s itself; redirect to that, or end it with `muster redirect %s --off`", to.ID, to.Redirect, to.ID)}
	}
	if why := cluster.CannotRedirect(from, to); why != "" {
		return &Error{CodeInvalid, why + "; publish the port that is to take them"}
	}
	return nil
}

// endRedirects ends those that hold no more, after services have changed.
func (tx *tx) endRedirects() {
	if !tx.servicesChanged {
		return
	}
	for _, old := range tx.services.all("") {
		if old.Redirect == "" {
			continue
		}
		if why := tx.redirectEnds(old); why != "" {
			s := *old
			s.Redirect = ""
			tx.putService(&s)
			tx.event(Event{Type: "service", Action: "redirect-ended", Object: string(s.ID), Service: string(s.ID), Message: why})
		}
	}
}

// redirectEnds says why a redirect ends, or "".
func (tx *tx) redirectEnds(from *cluster.Service) string {
	to, ok := tx.services.get(string(from.Redirect))
	switch {
	case from.Removing:
		return "the service was removed"
	case !ok || to.Removing:
		return fmt.Sprintf("%s was removed", from.Redirect)
	}
	return cluster.CannotRedirect(from, to)
}
