package main

import (
	"math/rand/v2"
	"runtime"

	"golang.org/x/sync/errgroup"
)

const (
	warmUp = 18 * 3600 // seconds of churn that are not counted
	// budget is how many moves a task that arrives pays for.
	budget = 0.045
)

// experiments are the questions that are put to every policy.
type experiments struct {
	a, b *filling
	c    *churn
}

func experimentsOn(t *traces) experiments {
	return experiments{
		a: fillingA(t),
		b: fillingB(t),
		c: &churn{tasks: t.vms, host: t.host, warm: warmUp},
	}
}

// answers are what one policy reached.
type answers struct {
	policy string
	a, b   packed // means over the seeds
	online churned
	moved  churned // ours only
}

// measure puts the experiments to every policy, as many at a time as there are
// cores. What comes out depends on the seeds alone.
func measure(e experiments, seeds int) (*figures, error) {
	policies := append([]named{ours}, references...)
	all := make([]answers, len(policies))
	var work errgroup.Group
	work.SetLimit(runtime.NumCPU())
	runs := make([][2][]packed, len(policies))
	for i, p := range policies {
		all[i].policy = p.name
		for x, q := range []*filling{e.a, e.b} {
			runs[i][x] = make([]packed, seeds)
			for seed := range seeds {
				work.Go(func() (err error) {
					runs[i][x][seed], err = q.ask(p, seed)
					return err
				})
			}
		}
		work.Go(func() error {
			all[i].online = e.c.run(p.make(source(0, 1)), 0)
			return nil
		})
	}
	work.Go(func() error {
		all[0].moved = e.c.run(ours.make(source(0, 1)), budget)
		return nil
	})
	if err := work.Wait(); err != nil {
		return nil, err
	}
	for i := range all {
		all[i].a, all[i].b = mean(runs[i][0]), mean(runs[i][1])
	}
	return &figures{ours: all[0], references: all[1:]}, nil
}

// ask fills the fleet once: ours by the product's engine, another policy by its
// choices.
func (q *filling) ask(p named, seed int) (packed, error) {
	tasks := q.arriving(source(seed, 0))
	if p.name == ours.name {
		return q.place(tasks, seed)
	}
	return q.run(p.make(source(seed, 1)), tasks), nil
}

// source is the chance of a run: of the order of arrivals, or of a policy.
func source(seed, of int) *rand.Rand {
	return rand.New(rand.NewPCG(uint64(seed), uint64(of)))
}
