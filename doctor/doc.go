// Package doctor judges what agents saw of their hosts and of the ways between
// them.
//
// It owns which value is well, which is a warning and which a failure, and the
// words that say what to do. It is pure: facts go in, findings come out. It may
// not know how facts are gathered (agent/checkup) or shown (cli).
//
// Start with Host and Ways.
package doctor
