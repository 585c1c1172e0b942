// Command demo shows Muster on one machine: three Docker hosts, a cluster, a
// deploy, and what happens when the leader's host loses power.
//
//	go run ./integration/demo          the whole show, which leaves nothing behind
//	go run ./integration/demo -up      up to the deploy, and leaves it up
//	go run ./integration/demo -down    takes down what -up left
//
// It owns what a new user sees first, so it says what it does and prints the
// commands that it runs. It may not know more than a user: clusters are made and
// changed by the command line alone; only the watcher asks the API, many times a
// second. Root is required.
//
// Start reading at story.go; outage.go is the timeline, left.go what -up leaves.
package main
