package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Deadlines of what is asked of the engine, above the engine's own.
const (
	lookDeadline  = 6 * time.Second
	writeDeadline = 65 * time.Second
	stopSlack     = 35 * time.Second // over the container's grace
	fetchDeadline = 70 * time.Minute
)

// apply does what an action says and returns what the container looks like
// afterwards, where it could be seen.
func (w *Worker) apply(ctx context.Context, a Action) (sighting, error) {
	switch a.Kind {
	case Fetch:
		ctx, cancel := context.WithTimeout(ctx, fetchDeadline)
		defer cancel()
		return sighting{}, w.config.Images.Fetch(ctx, a.Image)
	case Create:
		id, err := w.create(ctx, a)
		if err != nil {
			return sighting{}, err
		}
		return w.start(ctx, id)
	case Start:
		return w.start(ctx, a.Container)
	case Stop:
		err := w.stop(ctx, a.Container, a.Grace)
		return w.after(ctx, a.Container, err)
	case Remove:
		if a.Grace > 0 {
			if err := w.stop(ctx, a.Container, a.Grace); err != nil {
				return w.after(ctx, a.Container, err)
			}
		}
		return w.after(ctx, a.Container, w.remove(ctx, a.Container))
	}
	return sighting{}, fmt.Errorf("unknown action %q", a.Kind)
}

// create makes the task's container and returns its ID.
func (w *Worker) create(ctx context.Context, a Action) (string, error) {
	request := Request(w.config.Host, a.Assignment, a.Networks)
	id, err := w.make(ctx, request)
	if !errors.Is(err, runtime.ErrConflict) {
		return id, err
	}
	s, lookErr := w.look(ctx, request.Name)
	switch {
	case lookErr != nil:
		return "", errors.Join(err, lookErr)
	case s.gone:
		return w.make(ctx, request)
	case s.c.Labels[runtime.LabelCluster] != w.config.Host.ClusterID:
		return "", fmt.Errorf("%w: container %s is not of this cluster; remove it with docker rm", err, s.c.Name)
	}
	switch holder := cluster.TaskID(s.c.Labels[runtime.LabelTask]); {
	case holder == a.Task && s.c.Status != runtime.StatusRemoving:
		return s.id, nil // an earlier create that seemed to fail
	case holder == a.Task, w.assigned(holder):
		return "", fmt.Errorf("%w: by the container of task %s, which is %s", err, holder, s.c.Status)
	}
	if err := w.remove(ctx, s.id); err != nil {
		return "", err
	}
	return w.make(ctx, request)
}

// start starts a container and looks at it: an error of the engine does not
// mean that it does not run.
func (w *Worker) start(ctx context.Context, id string) (sighting, error) {
	err := func() error {
		ctx, cancel := context.WithTimeout(ctx, writeDeadline)
		defer cancel()
		return w.config.Engine.Start(ctx, id)
	}()
	s, err := w.after(ctx, id, err)
	if s.c.Status == runtime.StatusRunning {
		return s, nil
	}
	return s, err
}

// after looks at a container that something was done to; err is how that went.
func (w *Worker) after(ctx context.Context, id string, err error) (sighting, error) {
	s, lookErr := w.look(ctx, id)
	if lookErr != nil {
		return sighting{}, err // the next list will tell
	}
	return s, err
}

// look inspects a container; one that is absent is gone, which is no error.
func (w *Worker) look(ctx context.Context, id string) (sighting, error) {
	ctx, cancel := context.WithTimeout(ctx, lookDeadline)
	defer cancel()
	s := sighting{at: w.view.begin(), id: id}
	c, err := w.config.Engine.Inspect(ctx, id)
	switch {
	case errors.Is(err, runtime.ErrNotFound):
		s.gone = true
		return s, nil
	case err != nil:
		return sighting{}, err
	}
	s.id, s.c = c.ID, c
	return s, nil
}

func (w *Worker) make(ctx context.Context, c runtime.Create) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, writeDeadline)
	defer cancel()
	return w.config.Engine.Create(ctx, c)
}

func (w *Worker) stop(ctx context.Context, id string, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace+stopSlack)
	defer cancel()
	return w.config.Engine.Stop(ctx, id, grace)
}

func (w *Worker) remove(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, writeDeadline)
	defer cancel()
	return w.config.Engine.Remove(ctx, id)
}
