// Package hostroutes says which IPv4 addresses this host reaches by other ways
// than the cluster's networks, so that no network is given any of them.
//
// It owns the reading of the kernel's tables. It may not know the cluster's pool
// or what is done about a clash: the replicated state decides. Start with Read.
package hostroutes
