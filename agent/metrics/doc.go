// Package metrics writes what an agent measures in the text form of Prometheus.
//
// It owns the names of the metrics and is the only importer of Prometheus'
// client. What there is to tell it is told by a Sample, anew for every reader.
package metrics
