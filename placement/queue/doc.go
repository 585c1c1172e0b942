// Package queue decides who goes first among the tasks that wait for a node.
//
// It owns the orders: by priority, shortest job first, and fair shares. It may
// not know where anything runs or whether it fits (placement): it reads Items
// and returns their order. Equal input gives an equal order, whatever the order
// of the items.
//
// Start with Sort.
package queue
