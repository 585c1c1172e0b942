// Package health is the leader's failure detector as a step function.
//
// It owns the judgement of which nodes are ready, away or down, whom to dial
// before judging, when a mass loss has to wait, and which nodes flap too much
// to be given work. It may not know connections, sockets, gossip or raft: the
// shell tells a Tracker what it saw and when, calls Step, performs the probes
// that Step asks for and proposes the conditions that Step returns.
//
// Two rules carry the rest. Nothing but silence towards everybody who dialled
// makes a node down at once: an agent that stops, restarts or hangs leaves its
// host answering, and a host that answers keeps its containers. And a new
// leader never waits a fresh timeout: it starts from what it knew before and
// dials at once whoever has not connected to it.
//
// Start with Tracker, then Tracker.Step.
package health
