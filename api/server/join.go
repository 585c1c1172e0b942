package server

import (
	"net"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/security"
)

// nodeJoin admits a host that holds a valid token: the token is used and the
// node recorded by one command, so that a count of n admits n hosts however
// many ask at once.
func nodeJoin(c *call) (any, error) {
	var in api.NodeJoin
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	v, _ := c.State.View()
	tok, err := c.checkToken(v, in.Token)
	if err != nil {
		return nil, err
	}
	csr, err := security.ParseCSR(in.CSR)
	if err != nil {
		return nil, api.Errorf(api.CodeInvalid, "read the signing request: %v", err)
	}
	if err := checkJoiner(&in.Node); err != nil {
		return nil, err
	}
	in.Node.PublicKey = security.PublicKeyHash(csr)
	cert, err := c.Trust.Sign(in.CSR, in.Node.ID)
	if err != nil {
		return nil, err
	}
	if _, err := c.propose("", trimmed(c, state.JoinNode{Token: tok, Node: in.Node})); err != nil {
		return nil, err
	}
	v, _ = c.State.View()
	trust, err := c.trust(v)
	if err != nil {
		return nil, err
	}
	ident, _ := v.Cluster()
	return api.NodeJoined{
		ClusterID: ident.ID, Certificate: cert, CA: ident.CA, GossipKey: trust.GossipKeys[0], Trust: &trust, Members: membersOf(v),
	}, nil
}

// checkToken compares the secret; count and expiry are checked once more where
// the token is used.
func (c *call) checkToken(v state.View, word string) (id string, err error) {
	tok, err := security.ParseToken(word)
	if err != nil {
		return "", api.Errorf(api.CodeForbidden, "%v", err)
	}
	ident, _ := v.Cluster()
	const hint = "make a new one with `muster token create`"
	if tok.ClusterID != ident.ID {
		return "", api.Errorf(api.CodeForbidden, "the join token is for another cluster").WithHint("make one here with `muster token create`")
	}
	kept, ok := v.Token(tok.ID)
	if !ok || !security.VerifySecret(kept.SecretHash, tok.Secret) {
		return "", api.Errorf(api.CodeForbidden, "the join token is unknown, used up or revoked").WithHint(hint)
	}
	if !time.Now().Before(kept.Expires) {
		return "", api.Errorf(api.CodeForbidden, "the join token has expired").WithHint(hint)
	}
	return tok.ID, nil
}

// nodeRenew signs a new certificate for the caller's recorded key. A node whose
// certificate expired while the cluster slept may do this and nothing else.
func nodeRenew(c *call) (any, error) {
	var in api.Renew
	if err := c.decodePeer(&in); err != nil {
		return nil, err
	}
	csr, err := security.ParseCSR(in.CSR)
	if err != nil {
		return nil, api.Errorf(api.CodeInvalid, "read the signing request: %v", err)
	}
	key := security.PublicKeyHash(csr)
	v, _ := c.State.View()
	for n := range v.Nodes() {
		// The key names the node, whoever passed the call on: the certificate
		// is of use to nobody but its holder.
		if n.PublicKey == key {
			trust, err := c.trust(v)
			if err != nil {
				return nil, err
			}
			cert, err := c.Trust.Sign(in.CSR, n.ID)
			return api.Renewed{Certificate: cert, Trust: &trust}, err
		}
	}
	return nil, api.Errorf(api.CodeForbidden, "the key is not the recorded one of any node").WithHint("leave and join again")
}

func checkJoiner(n *cluster.Node) error {
	if err := cluster.ValidateName("name", n.Name); err != nil {
		return err
	}
	if _, err := ulid.ParseStrict(string(n.ID)); err != nil {
		return cluster.Invalid("id", "is not a ULID", "")
	}
	if err := checkNetworking(n.NetworkKey, n.Routes); err != nil {
		return err
	}
	return checkHost(n.Address, n.APIPort, n.GossipPort, n.Labels, n.Capacity, n.Devices)
}

// checkHost checks what an agent says of its host.
func checkHost(address string, apiPort, gossipPort int, labels map[string]string, capacity cluster.Resources, devices []cluster.HostDevice) error {
	switch {
	case net.ParseIP(address) == nil:
		return cluster.Invalid("address", "is not an IP address", "start the agent with --advertise IP")
	case apiPort < 1 || apiPort > 65535 || gossipPort < 1 || gossipPort > 65535:
		return cluster.Invalid("port", "is not from 1 to 65535", "")
	}
	if err := cluster.ValidateNodeLabels("labels", labels); err != nil {
		return err
	}
	if err := cluster.ValidateHostDevices("devices", devices); err != nil {
		return err
	}
	return capacity.Validate("capacity")
}

func membersOf(v state.View) []api.Member {
	out := []api.Member{}
	for n := range v.Nodes() {
		out = append(out, api.Member{
			ID: n.ID, Name: n.Name, Address: n.Address, APIPort: n.APIPort, GossipPort: n.GossipPort,
			Voter: n.Voter, Condition: n.Condition, PublicKey: n.PublicKey,
		})
	}
	return out
}
