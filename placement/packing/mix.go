package packing

import (
	"maps"
	"slices"
)

// mostClasses bounds the mix; the rarest class gives way.
const mostClasses = 256

// class is tasks that ask for the same.
type class struct {
	need  Vector
	tasks float64
}

// Mix is a summary of what tasks ask for. It looks at no task to come.
type Mix struct {
	classes []class
	index   map[Vector]int
	tasks   float64 // seen
	staying float64 // seen and not gone
	asked   [Kinds]float64
}

// Add counts a task, if it asks for anything.
func (m *Mix) Add(d *Vector) {
	if *d == (Vector{}) {
		return
	}
	m.tasks++
	m.staying++
	for k, amount := range d {
		m.asked[k] += float64(amount)
	}
	i, known := m.index[*d]
	if !known {
		i = m.place(d)
	}
	m.classes[i].tasks++
}

// place makes a class, in the rarest one's place if there are too many.
func (m *Mix) place(d *Vector) int {
	if m.index == nil {
		m.index = make(map[Vector]int)
	}
	i := len(m.classes)
	if i < mostClasses {
		m.classes = append(m.classes, class{})
	} else {
		i = 0
		for j := range m.classes {
			if m.classes[j].tasks < m.classes[i].tasks {
				i = j
			}
		}
		delete(m.index, m.classes[i].need)
	}
	m.classes[i] = class{need: *d}
	m.index[*d] = i
	return i
}

// Forget counts the end of a task. It stays known that such tasks come, but what
// stays long weighs more in what is asked.
func (m *Mix) Forget(d *Vector) {
	m.staying--
	for k, amount := range d {
		m.asked[k] -= float64(amount)
	}
}

// Clone is a copy that shares nothing with m.
func (m *Mix) Clone() Mix {
	out := *m
	out.classes, out.index = slices.Clone(m.classes), maps.Clone(m.index)
	return out
}
