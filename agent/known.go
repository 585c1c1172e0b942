package agent

import (
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
)

// known is what this node was told of the cluster: enough to reach the others
// and to serve traffic, also when it holds no replicated state.
type known struct {
	data *dataDir
	self api.Member // where this node is now, whatever the others have heard

	saving  sync.Mutex // held from a change of the members until it is on disk
	mu      sync.RWMutex
	members []api.Member
	at      position       // of the frame that named them
	leader  cluster.NodeID // as the last feed or heartbeat said
	table   lb.Input
	weights uint64                    // which ones the table has
	came    map[cluster.NodeID]string // the IP that a voter's last raft stream came from
}

const membersFile = "members.json"

// loadKnown starts from the members that were written last.
func loadKnown(data *dataDir) (*known, error) {
	k := &known{data: data}
	if _, err := data.readJSON(membersFile, &k.members); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *known) setMembers(m []api.Member) error {
	k.saving.Lock()
	defer k.saving.Unlock()
	k.mu.Lock()
	k.members = m
	k.mu.Unlock()
	return k.data.writeJSON(membersFile, m)
}

func (k *known) setLeader(id cluster.NodeID) (changed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	changed, k.leader = k.leader != id, id
	return changed
}

// setTable takes in a table from a feed, and returns it with the weights that
// are known.
func (k *known) setTable(t lb.Input) lb.Input {
	k.mu.Lock()
	defer k.mu.Unlock()
	t.Weights, t.Weighed = k.table.Weights, k.table.Weighed
	k.table = t
	return t
}

// weigh takes in the leader's weights, and returns the table with them.
func (k *known) weigh(w api.Weights) lb.Input {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.weights = w.ID
	k.table.Weights = w.Nodes
	k.table.Weighed = max(k.table.Weighed+1, uint64(time.Now().UnixMilli()))
	return k.table
}

// weightsID tells which weights this node has.
func (k *known) weightsID() uint64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.weights
}

func (k *known) setPosition(at position) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at = at
}

// News is what this node was told of the others, as a frame of a feed.
func (k *known) News() api.Feed {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return api.Feed{Epoch: k.at.epoch, Index: k.at.index, Leader: k.leader, Members: slices.Clone(k.members)}
}

// Members are all nodes, by ID.
func (k *known) Members() []api.Member {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Clone(k.members)
}

func (k *known) memberCount() int {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return len(k.members)
}

// position is that of the newest frame, all of which is known.
func (k *known) position() position {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.at
}

func (k *known) leaderID() cluster.NodeID {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.leader
}

// Table is the newest input of the balancers' table.
func (k *known) Table() lb.Input {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.table
}

func (k *known) member(id cluster.NodeID) (api.Member, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	i := slices.IndexFunc(k.members, func(m api.Member) bool { return m.ID == id })
	if i < 0 {
		return api.Member{}, false
	}
	return k.members[i], true
}

// Address is where a node's API answers.
func (k *known) Address(id cluster.NodeID) (string, bool) {
	if id == k.self.ID {
		return k.self.HostPort(), true
	}
	m, ok := k.member(id)
	return m.HostPort(), ok
}

// cameFrom notes where a voter called from.
func (k *known) cameFrom(id cluster.NodeID, from net.Addr) {
	ip, _, err := net.SplitHostPort(from.String())
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.came == nil {
		k.came = map[cluster.NodeID]string{}
	}
	k.came[id] = ip
}

// lastSeen is where a node's API answers if it has not moved since it called.
func (k *known) lastSeen(id cluster.NodeID) (string, bool) {
	m, ok := k.member(id)
	k.mu.RLock()
	defer k.mu.RUnlock()
	ip, called := k.came[id]
	return net.JoinHostPort(ip, strconv.Itoa(m.APIPort)), ok && called
}

// voters are the members that hold replicated state, those that are not known
// to be down first.
func (k *known) voters() []cluster.NodeID {
	var up, down []cluster.NodeID
	for _, m := range k.Members() {
		switch {
		case !m.Voter:
		case m.Condition == cluster.Down:
			down = append(down, m.ID)
		default:
			up = append(up, m.ID)
		}
	}
	return append(up, down...)
}

// gossipPeers are the members for gossip's rejoin loop.
func (k *known) gossipPeers() []gossip.Peer {
	var out []gossip.Peer
	for _, m := range k.Members() {
		out = append(out, gossip.Peer{ID: string(m.ID), Addr: gossipAddr(m), Up: m.Condition == cluster.Ready})
	}
	return out
}
