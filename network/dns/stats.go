package dns

import "sync/atomic"

// Stats counts questions by what became of them.
type Stats struct {
	Queries   uint64 // all
	Answered  uint64 // from the zone, also that there is no such name
	Forwarded uint64 // by an upstream
	Failed    uint64 // no upstream answered, or there were too many questions at once
	Refused   uint64 // what is not answered to anybody, and what is no question
	Dropped   uint64 // no answer at all: strangers, floods, answers
}

type counters struct{ queries, answered, forwarded, failed, refused, dropped atomic.Uint64 }

func (c *counters) snapshot() Stats {
	return Stats{
		Queries: c.queries.Load(), Answered: c.answered.Load(), Forwarded: c.forwarded.Load(),
		Failed: c.failed.Load(), Refused: c.refused.Load(), Dropped: c.dropped.Load(),
	}
}
