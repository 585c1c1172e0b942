package placement

import "github.com/musterhq/muster/cluster"

// nearness is how far a node is from the services that a task is to be near to;
// 0 where it is to be near to none.
type nearness int8

const (
	nearNode nearness = iota + 1 // one of them runs there
	nearZone                     // or in its zone
	farAway
)

func (n nearness) String() string {
	return [...]string{"", "near on the node", "near in the zone", "near to none"}[n]
}

// Word is the same in one word; "" for 0.
func (n nearness) Word() string { return [...]string{"", "node", "zone", "none"}[n] }

// surroundings is where the services run that a request is to be near to.
type surroundings struct {
	on    map[int]bool
	zones *column // nil: it is to be near to none
	busy  map[int32]bool
}

// near finds them, with the tasks that this plan has placed.
func (p *plan) near(r *Request) surroundings {
	names := r.placement().Near
	if len(names) == 0 {
		return surroundings{}
	}
	s := surroundings{on: map[int]bool{}, zones: p.column("node.labels." + cluster.ZoneLabel), busy: map[int32]bool{}}
	for _, name := range names {
		for node, n := range p.wantedOf(cluster.ServiceNamed(name, r.Service.Stack())) {
			if n > 0 {
				s.on[node] = true
				if zone := s.zones.ids[node]; s.zones.values[zone] != "" {
					s.busy[zone] = true
				}
			}
		}
	}
	return s
}

func (s *surroundings) of(node int) nearness {
	switch {
	case s.zones == nil:
		return 0
	case s.on[node]:
		return nearNode
	case s.busy[s.zones.ids[node]]:
		return nearZone
	}
	return farAway
}
