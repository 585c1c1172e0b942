package server

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/security"
)

// Limits of a join token.
const (
	defaultTokenTTL  = 15 * time.Minute
	minTokenTTL      = time.Second
	maxTokenTTL      = 30 * 24 * time.Hour
	defaultTokenUses = 100
	maxTokenUses     = 10_000
)

func listTokens(c *call) (any, error) {
	v, _ := c.State.View()
	out := []api.Token{}
	for t := range v.Tokens() {
		if time.Now().Before(t.Expires) {
			out = append(out, presentToken(*t))
		}
	}
	return out, nil
}

func presentToken(t cluster.Token) api.Token {
	return api.Token{ID: t.ID, Uses: t.Uses, Expires: t.Expires, Created: t.Created}
}

func createToken(c *call) (any, error) {
	var in api.CreateToken
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return c.newToken(in)
}

// NewToken makes a join token on the leader.
func (s *Server) NewToken(ctx context.Context, in api.CreateToken) (api.NewToken, error) {
	return (&call{Backend: s.backend.Load(), ctx: ctx, s: s}).newToken(in)
}

func (c *call) newToken(in api.CreateToken) (out api.NewToken, err error) {
	ttl, uses, err := tokenLimits(in)
	if err != nil {
		return out, err
	}
	v, _ := c.State.View()
	ident, _ := v.Cluster()
	id := ulid.Make().String()
	caHash, err := security.CAHash(ident.CA)
	if err != nil {
		return out, err
	}
	tok, err := security.NewToken(id, ident.ID, caHash)
	if err != nil {
		return out, err
	}
	now := time.Now()
	t := cluster.Token{ID: id, SecretHash: security.HashSecret(tok.Secret), Uses: uses, Expires: now.Add(ttl), Created: now}
	if _, err := c.propose("", state.PutToken{Token: t}); err != nil {
		return out, err
	}
	return api.NewToken{Token: presentToken(t), Secret: tok.String(), Command: c.joinCommand(tok.String())}, nil
}

func tokenLimits(in api.CreateToken) (ttl time.Duration, uses int, err error) {
	ttl, uses = defaultTokenTTL, defaultTokenUses
	if in.TTL != "" {
		if ttl, err = time.ParseDuration(in.TTL); err != nil || ttl < minTokenTTL || ttl > maxTokenTTL {
			return 0, 0, cluster.Invalid("ttl", fmt.Sprintf("%q is not a duration from 1s to 720h", in.TTL), "write it as 15m or 24h")
		}
	}
	if in.Uses != 0 {
		if uses = in.Uses; uses < 0 || uses > maxTokenUses {
			return 0, 0, cluster.Invalid("uses", fmt.Sprintf("%d is out of range", in.Uses), fmt.Sprintf("give a number from 1 to %d", maxTokenUses))
		}
	}
	return ttl, uses, nil
}

// joinCommand is what to type on the host that shall join.
func (c *call) joinCommand(token string) string {
	for _, m := range c.Nodes.Members() {
		if m.ID == c.Self {
			return fmt.Sprintf("muster join %s --token %s", net.JoinHostPort(m.Address, strconv.Itoa(m.APIPort)), token)
		}
	}
	return "muster join ADDRESS --token " + token
}

func removeToken(c *call) (any, error) {
	_, err := c.propose("", state.RemoveToken{ID: c.r.PathValue("id")})
	return nil, err
}
