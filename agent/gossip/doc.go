// Package gossip knows which nodes this host can hear of: membership spread by
// memberlist (SWIM), of which this is the only importer.
//
// Its word is a hint, never a verdict. A member that is reported dead may be
// starved of CPU or behind a cut; the receiver probes and decides elsewhere.
// What travels is encrypted with a keyring that rotates, and members of
// another cluster are refused even if they hold a key.
//
// memberlist forgets dead members after half a minute and never heals a
// longer partition by itself, so [NextRejoin] dials peers that replicated
// state names and gossip does not hear of, for as long as it names them.
//
// The package may not know replicated state, raft, or what a dead member
// means for tasks. Wake-ups are level-triggered: [Gossip.Events] says that
// something changed, [Gossip.Members] and [Gossip.Dead] say what is.
//
// Start reading at gossip.go (the shell), directory.go (what is known) and
// rejoin.go (the decision whom to dial).
package gossip
