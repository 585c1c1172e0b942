package cluster

import (
	"iter"
	"slices"
	"time"
)

// Basis is what a plan for a stack was made from: each of its services, as it
// was.
type Basis struct {
	Services []ServiceAt `cbor:"1,keyasint,omitempty" json:"services"` // by ID
}

// ServiceAt is a service at a moment: it is Updated with every change.
type ServiceAt struct {
	ID      ServiceID `cbor:"1,keyasint" json:"id"`
	Updated time.Time `cbor:"2,keyasint" json:"updated"`
}

// BasisOf is the basis of those services that are not being removed; they come by
// ID.
func BasisOf(services iter.Seq[*Service]) Basis {
	b := Basis{Services: []ServiceAt{}}
	for s := range services {
		if !s.Removing {
			b.Services = append(b.Services, ServiceAt{s.ID, s.Updated})
		}
	}
	return b
}

// Changed is the first service that is not in now as it is in b, or "".
func (b *Basis) Changed(now Basis) ServiceID {
	same := func(x, y ServiceAt) bool { return x.ID == y.ID && x.Updated.Equal(y.Updated) }
	for _, pair := range [][2][]ServiceAt{{b.Services, now.Services}, {now.Services, b.Services}} {
		for _, s := range pair[0] {
			if !slices.ContainsFunc(pair[1], func(o ServiceAt) bool { return same(s, o) }) {
				return s.ID
			}
		}
	}
	return ""
}
