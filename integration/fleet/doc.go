// Package fleet makes Muster clusters of the lab's hosts and looks at them: from
// inside, over the agents' own API, and from outside, over the engines' and over
// HTTP. The demo, the benchmarks and the tests of failures share it.
//
// It owns what they would otherwise each do: build the binary, start agents,
// init and join, wait for a condition with a reason why it does not hold. It may
// not know what an agent is made of, and it breaks nothing: faults are verbs of
// lab.Host.
//
// Start reading at fleet.go, then wait.go; outside.go is the observer whose word
// counts.
package fleet
