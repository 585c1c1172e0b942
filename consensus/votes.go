package consensus

import "github.com/hashicorp/raft"

// Raft's rule is that a server votes for whoever has an up-to-date log, without
// asking its own configuration, which may lag. The library asks it, and then a
// cluster can lose its leader for good with a majority alive:
//
//	A leads {A, B} and promotes C; A and C hold the new configuration
//	A dies before B holds it
//	B cannot win, because C's log is newer; C cannot win, because to B it is no voter
//
// So a vote that was denied is asked for once more in a way that leaves the
// candidate's membership out. What keeps a removed server from disturbing the
// others stays: a voter that has a leader denies, and so does a newer log.

// RequestVote asks for a vote, the second time without the candidate's ID, as
// the library's older versions did.
func (t *transport) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	if err := t.NetworkTransport.RequestVote(id, target, args, resp); err != nil || resp.Granted || resp.Term > args.Term {
		return err
	}
	again, second := *args, raft.RequestVoteResponse{}
	again.ID = nil
	if t.NetworkTransport.RequestVote(id, target, &again, &second) == nil {
		*resp = second
	}
	return nil
}

// RequestPreVote asks whether a vote would be given, the second time under the
// voter's own ID: a pre-vote needs one that the voter knows to vote.
func (t *transport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	if err := t.NetworkTransport.RequestPreVote(id, target, args, resp); err != nil || resp.Granted || resp.Term > args.Term {
		return err
	}
	again, second := *args, raft.RequestPreVoteResponse{}
	again.ID = []byte(id)
	if t.NetworkTransport.RequestPreVote(id, target, &again, &second) == nil {
		*resp = second
	}
	return nil
}
