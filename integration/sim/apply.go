package sim

import (
	"errors"
	"fmt"
	"time"

	"github.com/musterhq/muster/agent/worker"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// apply does what an action says, as agent/worker/apply.go does, and tells what
// the container looks like afterwards.
func (k *work) apply(a worker.Action, done func(sighting, error)) {
	switch a.Kind {
	case worker.Fetch:
		k.a.h.engine.pull(cluster.Image{Digest: a.Image}, func(err error) {
			k.a.run(func() { done(sighting{}, err) })
		})
	case worker.Create:
		k.create(a, func(id string, err error) {
			if err != nil {
				done(sighting{}, err)
				return
			}
			k.startAndLook(id, done)
		})
	case worker.Start:
		k.startAndLook(a.Container, done)
	case worker.Stop:
		k.stop(a.Container, a.Grace, func(err error) { k.lookAfter(a.Container, err, done) })
	case worker.Remove:
		remove := func() {
			k.remove(a.Container, func(err error) { k.lookAfter(a.Container, err, done) })
		}
		if a.Grace <= 0 {
			remove()
			return
		}
		k.stop(a.Container, a.Grace, func(err error) {
			if err != nil {
				k.lookAfter(a.Container, err, done)
				return
			}
			remove()
		})
	}
}

// create makes the task's container; who has its name already is adopted or
// removed.
func (k *work) create(a worker.Action, done func(string, error)) {
	request := worker.Request(k.host, a.Assignment, a.Networks)
	k.make(request, func(id string, err error) {
		if !errors.Is(err, runtime.ErrConflict) {
			done(id, err)
			return
		}
		k.look(request.Name, func(s sighting, lookErr error) {
			holder := cluster.TaskID(s.c.Labels[runtime.LabelTask])
			switch {
			case lookErr != nil:
				done("", errors.Join(err, lookErr))
			case s.gone:
				k.make(request, done)
			case holder == a.Task && s.c.Status != runtime.StatusRemoving:
				done(s.id, nil)
			case holder == a.Task, k.assigned(holder):
				done("", fmt.Errorf("%w: by the container of task %s, which is %s", err, holder, s.c.Status))
			default:
				k.remove(s.id, func(err error) {
					if err != nil {
						done("", err)
						return
					}
					k.make(request, done)
				})
			}
		})
	})
}

func (k *work) make(r runtime.Create, done func(string, error)) {
	k.a.h.engine.create(r, writeDeadline, func(id string, err error) {
		k.a.run(func() { done(id, err) })
	})
}

// startAndLook starts a container; one that runs is started, whatever was
// answered.
func (k *work) startAndLook(id string, done func(sighting, error)) {
	k.a.h.engine.startContainer(id, writeDeadline, func(err error) {
		k.a.run(func() {
			k.lookAfter(id, err, func(s sighting, err error) {
				if s.c.Status == runtime.StatusRunning {
					err = nil
				}
				done(s, err)
			})
		})
	})
}

func (k *work) stop(id string, grace time.Duration, done func(error)) {
	k.a.h.engine.stop(id, grace, grace+stopSlack, func(err error) { k.a.run(func() { done(err) }) })
}

func (k *work) remove(id string, done func(error)) {
	k.a.h.engine.remove(id, writeDeadline, func(err error) { k.a.run(func() { done(err) }) })
}

// lookAfter looks at a container that something was done to; err is how that
// went.
func (k *work) lookAfter(id string, err error, done func(sighting, error)) {
	k.look(id, func(s sighting, lookErr error) {
		if lookErr != nil {
			s = sighting{}
		}
		done(s, err)
	})
}

// look inspects a container; one that is absent is gone, which is no error.
func (k *work) look(id string, done func(sighting, error)) {
	s := sighting{at: k.seen.begin(), id: id}
	k.a.h.engine.inspect(id, lookDeadline, func(c runtime.Container, err error) {
		k.a.run(func() {
			switch {
			case errors.Is(err, runtime.ErrNotFound):
				s.gone = true
				done(s, nil)
			case err != nil:
				done(sighting{}, err)
			default:
				s.id, s.c = c.ID, c
				done(s, nil)
			}
		})
	})
}
