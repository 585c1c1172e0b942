package server

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/runtime"
)

// speakerHeader names the node that made a relayed call. It counts from voters
// only.
const speakerHeader = "Muster-Speaker"

// speaker is the node that made the call: the caller, or the one whose call a
// voter passes on. It is "" for a user.
func (c *call) speaker() cluster.NodeID {
	if _, _, voter, _ := c.lookup().Node(c.caller.NodeID); voter && c.hops() > 0 {
		return cluster.NodeID(c.r.Header.Get(speakerHeader))
	}
	return cluster.NodeID(c.caller.NodeID)
}

// ownNode refuses a node that speaks for another.
func (c *call) ownNode(claimed cluster.NodeID) error {
	if s := c.speaker(); s != claimed {
		return api.Errorf(api.CodeForbidden, "node %s speaks for node %s", s, claimed)
	}
	return nil
}

func nodeHeartbeat(c *call) (any, error) {
	var in api.Heartbeat
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	if err := c.ownNode(in.Node); err != nil {
		return nil, err
	}
	v, _ := c.State.View()
	ident, _ := v.Cluster()
	out := api.HeartbeatReply{
		Leader: c.Self, Epoch: v.Epoch(), Index: c.Leader.Heartbeat(in), Standby: c.Leader.Standby(in.Node),
		Trust: ident.Trust, Authority: c.s.authorities.hash(ident.CA), Weights: c.Leader.Weights(in.Weights),
	}
	if in.Leaving {
		out.Served = c.Leader.Served(v)
	}
	return out, nil
}

func nodeObserve(c *call) (any, error) {
	var in api.ObserveBatch
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	if err := c.ownNode(in.Node); err != nil {
		return nil, err
	}
	o := state.Observe{Node: in.Node, Marks: true}
	for _, t := range in.Tasks {
		o.Tasks = append(o.Tasks, state.TaskObserved(t))
		o.Repeats = o.Repeats || t.Observed.Restarts > 0
	}
	_, err := c.propose("", trimmed(c, o))
	return nil, err
}

func nodeUpdate(c *call) (any, error) {
	var in api.NodeUpdate
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	if err := c.ownNode(in.ID); err != nil {
		return nil, err
	}
	if err := checkHost(in.Address, in.APIPort, in.GossipPort, in.Labels, in.Capacity, in.Devices); err != nil {
		return nil, err
	}
	if err := checkNetworking(in.NetworkKey, in.Routes); err != nil {
		return nil, err
	}
	told := state.UpdateNode(in)
	known := trimmed(c, told)
	out := api.NodeUpdated{Held: state.Needs(told) > state.Needs(known)}
	if v, ok := c.State.View(); ok && v.Holds(known) {
		return out, nil
	}
	_, err := c.propose("", known)
	return out, err
}

// trimmed is what an agent says of its own host, as far as every voter knows
// it: an agent is not held up by a voter that is older.
func trimmed[B state.Body](c *call, b B) B {
	v, _ := c.State.View()
	version, _ := v.Commands()
	return state.Trim(b, version)
}

func nodeProbe(c *call) (any, error) {
	var in api.Probe
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	for _, m := range c.Nodes.Members() {
		if m.HostPort() == in.Address { // only members are dialled: this is no port scanner
			return c.Local.Probe(c.ctx, in), nil
		}
	}
	return nil, api.Errorf(api.CodeNotFound, "%s is the address of no member", in.Address)
}

func nodePromote(c *call) (any, error) {
	var in api.Promote
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	return nil, c.Local.Promote(c.ctx, in)
}

func nodeDemote(c *call) (any, error) { return nil, c.Local.Demote(c.ctx) }

func nodeRevote(c *call) (any, error) { return nil, c.Local.Revote(c.ctx) }

func putRegistry(c *call) (any, error) {
	var in api.RegistryLogin
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	name := registryName(c.r.PathValue("server"))
	plain, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	sealed, err := c.Trust.Seal(plain, name)
	if err != nil {
		return nil, err
	}
	_, err = c.propose("", state.PutSealed{Name: name, Sealed: &sealed})
	return nil, err
}

func registryName(server string) string { return "registry/" + server }

// nodeLogin hands a registry credential to a member that has to pull.
func nodeLogin(c *call) (any, error) {
	server := c.r.URL.Query().Get("server")
	v, _ := c.State.View()
	sealed, ok := v.Sealed(registryName(server))
	if !ok {
		return nil, api.Errorf(api.CodeNotFound, "there is no login for registry %s", server)
	}
	plain, err := c.Trust.Open(sealed, registryName(server))
	if err != nil {
		return nil, err
	}
	var out api.RegistryLogin
	if err := json.Unmarshal(plain, &out); err != nil {
		return nil, err
	}
	return out, nil
}

// login asks the leader for a registry's credential; none is no error.
func (c *call) login(server string) *runtime.Login {
	l := c.Nodes.LeaderID()
	if l == "" || server == "" {
		return nil
	}
	var out api.RegistryLogin
	if l == c.Self {
		sub := *c
		sub.r = c.r.Clone(c.ctx)
		sub.r.URL = &url.URL{RawQuery: url.Values{"server": {server}}.Encode()}
		v, err := nodeLogin(&sub)
		if err != nil {
			return nil
		}
		out = v.(api.RegistryLogin)
	} else if c.Peers.Call(c.ctx, l, http.MethodGet, "/v1/node/login?server="+url.QueryEscape(server), nil, &out) != nil {
		return nil
	}
	return &runtime.Login{Server: server, Username: out.Username, Password: out.Password, IdentityToken: out.IdentityToken}
}
