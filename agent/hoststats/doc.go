// Package hoststats measures the host: how much CPU and memory it has, and how
// much of both is used by everything on it, containers or not. Hardware looks for
// its graphics cards and the speed of its network.
//
// It is the only importer of gopsutil, which reads below the directory that
// the environment variable HOST_PROC names (default /proc). It may not know
// what the figures are for, nor when to take them: the caller samples.
//
// Start reading at sampler.go.
package hoststats
