package main

import "math"

const (
	// mostClasses bounds the summary; the rarest class gives way.
	mostClasses = 256
	// recently is over how many tasks the share of those that end is taken.
	recently = 1000
	// deviations is how many standard deviations above the expected number of a
	// class's tasks are kept room for: one in a thousand goes beyond.
	deviations = 3
)

// class is tasks that ask for the same.
type class struct {
	demand
	tasks float64 // seen
	slots int     // for more of them, on all nodes
	short bool    // slots may not be enough for those to come
}

// demands is a summary of the tasks seen so far. It looks at no task to come.
type demands struct {
	classes []class
	index   map[demand]int
	tasks   float64 // seen
	staying float64 // seen and not ended
	asked   vector  // by those
	scarce  int     // the kind of resource that runs out first
	arrived float64 // recently
	ended   float64 // recently
}

// see counts a task, and returns its class and whether that is new.
func (s *demands) see(d *demand) (int, bool) {
	if s.index == nil {
		s.index = make(map[demand]int)
	}
	s.tasks++
	s.staying++
	for k, amount := range d.need {
		s.asked[k] += amount
	}
	if s.arrived++; s.arrived >= recently {
		s.arrived, s.ended = s.arrived/2, s.ended/2
	}
	i, known := s.index[*d]
	if !known {
		i = s.place(d)
	}
	s.classes[i].tasks++
	return i, !known
}

// place makes a class, in the rarest one's place if there are too many.
func (s *demands) place(d *demand) int {
	i := len(s.classes)
	if i < mostClasses {
		s.classes = append(s.classes, class{})
	} else {
		i = 0
		for j := range s.classes {
			if s.classes[j].tasks < s.classes[i].tasks {
				i = j
			}
		}
		delete(s.index, s.classes[i].demand)
	}
	s.classes[i] = class{demand: *d}
	s.index[*d] = i
	return i
}

// rank finds the kind of resource that tasks like those seen use up first.
func (s *demands) rank(total *vector) {
	most := 0.0
	for k, amount := range s.asked {
		if total[k] > 0 && amount/total[k] > most {
			most, s.scarce = amount/total[k], k
		}
	}
}

// foresee marks the classes that may find too few slots before what is free of
// the scarce kind is used up, if tasks go on to arrive in the same proportions.
func (s *demands) foresee(free *vector) {
	more := free[s.scarce] / s.mean()
	for i := range s.classes {
		c := &s.classes[i]
		expected := c.tasks / s.tasks * more
		c.short = c.slots > 0 && float64(c.slots) <= expected+deviations*math.Sqrt(expected)+1
	}
}

// forget counts the end of a task: what stays long weighs more in what is asked.
func (s *demands) forget(d *demand) {
	s.ended++
	s.staying--
	for k, amount := range d.need {
		s.asked[k] -= amount
	}
}

// mean is what a task asks for of the scarce kind.
func (s *demands) mean() float64 { return s.asked[s.scarce] / s.staying }

// lasting is the share of recent tasks that stay: 1 while a fleet fills, 0 where
// as many end as arrive.
func (s *demands) lasting() float64 {
	if s.arrived == 0 {
		return 1
	}
	return max(0, 1-s.ended/s.arrived)
}

// waste is how much of the scarce kind the next task is expected to find useless.
func (s *demands) waste(r *room) float64 {
	sum := 0.0
	for i := range s.classes {
		if c := &s.classes[i]; c.need[s.scarce] > 0 {
			sum += c.tasks * r.useless(&c.demand, s.scarce)
		}
	}
	return sum / s.tasks
}
