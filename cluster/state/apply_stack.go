package state

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/musterhq/muster/cluster"
)

func (c PutStack) apply(tx *tx) error {
	if err := cluster.ValidateName("stack", c.Stack); err != nil {
		return err
	}
	if err := tx.refuseOther(c); err != nil {
		return err
	}
	if err := tx.refusePortClash(c); err != nil {
		return err
	}
	if err := tx.putNetworks(c); err != nil {
		return err
	}
	named := map[string]bool{}
	for _, s := range c.Services {
		if err := cluster.ValidateName("services", s.Name); err != nil {
			return err
		}
		if named[s.Name] {
			return &Error{CodeInvalid, fmt.Sprintf("service %s is given twice", s.Name)}
		}
		named[s.Name] = true
		if err := tx.putSpec(cluster.NewServiceID(c.Stack, s.Name), s.Spec, c.Note); err != nil {
			return err
		}
	}
	for _, s := range tx.services.all(c.Stack + "/") {
		if !named[s.ID.Name()] && !s.Removing {
			tx.removeService(s)
		}
	}
	return nil
}

// refuseOther refuses a deploy that was planned for another state of the stack.
func (tx *tx) refuseOther(c PutStack) error {
	if c.Basis == nil {
		return nil
	}
	if changed := c.Basis.Changed(cluster.BasisOf(slices.Values(tx.services.all(c.Stack + "/")))); changed != "" {
		return &Error{CodeConflict, fmt.Sprintf("%s has changed since the plan was made; make a new plan", changed)}
	}
	return nil
}

// refusePortClash refuses an ingress port that another stack publishes.
func (tx *tx) refusePortClash(c PutStack) error {
	type port struct {
		number   uint16
		protocol string
	}
	taken := map[port]cluster.ServiceID{}
	for _, s := range tx.services.all("") {
		if s.Removing || s.ID.Stack() == c.Stack {
			continue
		}
		for _, p := range s.Spec.Template.Ports {
			if p.Mode == cluster.Ingress && p.Published != 0 {
				taken[port{p.Published, p.Protocol}] = s.ID
			}
		}
	}
	for _, s := range c.Services {
		for _, p := range s.Spec.Template.Ports {
			if by, ok := taken[port{p.Published, p.Protocol}]; ok && p.Mode == cluster.Ingress {
				return &Error{CodeConflict, fmt.Sprintf("services.%s.ports: %d/%s is published by %s already; choose another port or remove that service", s.Name, p.Published, p.Protocol, by)}
			}
		}
	}
	return nil
}

// putSpec creates or updates one service. Only a template that differs makes a
// new generation.
func (tx *tx) putSpec(id cluster.ServiceID, spec cluster.ServiceSpec, note cluster.Note) error {
	old, ok := tx.services.get(string(id))
	if !ok || old.Removing {
		// A service that is on its way out keeps its tasks' generations apart.
		s := &cluster.Service{ID: id, Generation: 1, Spec: spec, Created: tx.now, Release: cluster.Release{Note: note}}
		if ok {
			s.Generation, s.History, s.Address = old.Newest()+1, history(tx, old), old.Address
		}
		if err := tx.giveServiceAddress(s); err != nil {
			return err
		}
		tx.putService(s)
		tx.outcome = append(tx.outcome, ServiceChange{id, "created", s.Generation})
		tx.event(Event{Type: "service", Action: "created", Object: string(id), Service: string(id)})
		return nil
	}
	s := *old
	action := "unchanged"
	if spec.Template.Force < old.Spec.Template.Force {
		spec.Template.Force = old.Spec.Template.Force // a restart is not undone by a deploy
	}
	switch {
	case !equal(old.Spec.Template, spec.Template):
		action = "updated"
		tx.advance(&s, old)
		s.Release.Note = note
		if _, ok := s.LastGood(); ok || tx.serves(old) {
			s.Release.Canary = spec.Update.Canary
		}
	case old.Spec.Replicas != spec.Replicas || old.Spec.Mode != spec.Mode:
		action = "scaled"
	case !equal(old.Spec, spec):
		action = "updated"
	}
	if action != "unchanged" || old.SetAside != "" {
		s.Spec, s.SetAside = spec, ""
		if err := tx.giveServiceAddress(&s); err != nil {
			return err
		}
		tx.putService(&s)
		tx.event(Event{Type: "service", Action: action, Object: string(id), Service: string(id), Message: fmt.Sprintf("generation %d", s.Generation)})
	}
	tx.outcome = append(tx.outcome, ServiceChange{id, action, s.Generation})
	return nil
}

// serves reports whether some task of the service is ready: a canary leaves such
// tasks as they are, also where nothing was judged yet.
func (tx *tx) serves(s *cluster.Service) bool {
	for _, t := range tx.tasksOf(s.ID) {
		if t.Desired == cluster.Running && t.Ready() && tx.condition(t.Node) != cluster.Down {
			return true
		}
	}
	return false
}

// advance makes s a new generation after old.
func (tx *tx) advance(s, old *cluster.Service) {
	s.History, s.Generation = history(tx, old), old.Newest()+1
	s.Release, s.Returned = cluster.Release{}, nil
}

// history is old's history with its current generation added, without what is
// past the limit and has no task left. A task on a node that is down counts: back
// again, the node has to be told to stop it, for which it needs its template.
func history(tx *tx, old *cluster.Service) []cluster.Generation {
	h := append(slices.Clone(old.History), cluster.Generation{Number: old.Generation, Template: old.Spec.Template, Created: old.Updated, Release: old.Release})
	excess := len(h) - (KeepGenerations - 1)
	if excess <= 0 {
		return h
	}
	used, good := map[uint64]bool{}, uint64(0)
	for i := range h {
		if h[i].Release.Outcome == cluster.OutcomeGood {
			good = h[i].Number // the last one of them is where a failed update goes
		}
	}
	used[good] = true
	for _, t := range tx.tasksOf(old.ID) {
		if !tx.over(t) || !t.Ended() && tx.condition(t.Node) == cluster.Down {
			used[t.Generation] = true
		}
	}
	return slices.DeleteFunc(h, func(g cluster.Generation) bool {
		drop := excess > 0 && !used[g.Number]
		if drop {
			excess--
		}
		return drop
	})
}

func equal(a, b any) bool {
	x, errX := encMode.Marshal(a)
	y, errY := encMode.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func (tx *tx) service(id cluster.ServiceID) (*cluster.Service, error) {
	s, ok := tx.services.get(string(id))
	if !ok || s.Removing {
		return nil, &Error{CodeNotFound, fmt.Sprintf("there is no service %s; `muster ls` lists them", id)}
	}
	return s, nil
}

func (c Scale) apply(tx *tx) error {
	old, err := tx.service(c.Service)
	switch {
	case err != nil:
		return err
	case old.Spec.Mode == cluster.Global:
		return &Error{CodeInvalid, fmt.Sprintf("%s is a global service, it has one task a node and no replicas to set", c.Service)}
	case c.Replicas < 0:
		return &Error{CodeInvalid, "replicas: is negative; give a number from 0 up"}
	}
	s := *old
	action := "unchanged"
	if s.Spec.Replicas != c.Replicas {
		action = "scaled"
		s.Spec.Replicas = c.Replicas
		tx.putService(&s)
		tx.event(Event{Type: "service", Action: action, Object: string(c.Service), Service: string(c.Service), Message: fmt.Sprintf("from %d to %d", old.Spec.Replicas, c.Replicas)})
	}
	tx.outcome = append(tx.outcome, ServiceChange{c.Service, action, s.Generation})
	return nil
}

func (c RemoveStack) apply(tx *tx) error {
	if len(c.Services) == 0 {
		found := false
		for _, s := range tx.services.all(c.Stack + "/") {
			found = true
			if !s.Removing {
				tx.removeService(s)
			}
		}
		if !found {
			return &Error{CodeNotFound, fmt.Sprintf("there is no stack %q; `muster ls` lists what is deployed", c.Stack)}
		}
		return nil
	}
	for _, name := range c.Services {
		s, err := tx.service(cluster.NewServiceID(c.Stack, name))
		if err != nil {
			return err
		}
		tx.removeService(s)
	}
	return nil
}

// removeService marks a service; the leader stops its tasks and forgets it
// when they are over.
func (tx *tx) removeService(old *cluster.Service) {
	s := *old
	s.Removing = true
	tx.putService(&s)
	tx.outcome = append(tx.outcome, ServiceChange{s.ID, "removed", s.Generation})
	tx.event(Event{Type: "service", Action: "removed", Object: string(s.ID), Service: string(s.ID)})
}

func (c Restart) apply(tx *tx) error {
	old, err := tx.service(c.Service)
	if err != nil {
		return err
	}
	s := *old
	tx.advance(&s, old)
	s.Release.Note = c.Note
	s.Spec.Template.Force++
	s.SetAside = ""
	tx.putService(&s)
	tx.outcome = append(tx.outcome, ServiceChange{s.ID, "updated", s.Generation})
	tx.event(Event{Type: "service", Action: "restarted", Object: string(s.ID), Service: string(s.ID), Message: fmt.Sprintf("generation %d", s.Generation)})
	return nil
}
