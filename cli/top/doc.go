// Package top is the screen of `muster top`: nodes, services, tasks and events,
// with what they really use, kept fresh.
//
// It owns the picture and the keys. It may not know how the cluster is asked:
// the caller hands it a Look that fetches one Snapshot. Model is a value and
// everything about it is pure: keys, sizes and snapshots go in, text comes out;
// program.go alone knows bubbletea and the clock.
//
// Start with Model, then View in view.go and the columns in columns.go.
package top
