// Package lb decides where a connection to a published port goes.
//
// It owns the table of published ports (Build), the order in which the backends
// of a port are tried (Frontend.Order, which holds the policies) and the memory of
// backends that did not answer (Health) or are new (Arrivals). All of it is plain values and functions of their arguments:
// it reads no clock, opens no socket and starts no goroutine. How bytes move is
// lb/proxy's.
//
// Start with Input (what a table is made from; workers get it over a stream),
// then Build and Table.
package lb
