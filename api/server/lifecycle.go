package server

import "github.com/musterhq/muster/api"

func healthz(c *call) (any, error) {
	return api.Health{Status: "ok", Leader: c.Backend != nil && c.Nodes.LeaderID() != ""}, nil
}

func local(c *call) (any, error) { return c.s.agent.Local(), nil }

func version(c *call) (any, error) { return c.s.version, nil }

// localOnly refuses calls that act on the host that was asked when they come
// from another host.
func (c *call) localOnly() error {
	if c.caller.Local {
		return nil
	}
	return api.Errorf(api.CodeForbidden, "%s is for the local socket only", c.r.URL.Path)
}

func initCluster(c *call) (any, error) {
	if err := c.localOnly(); err != nil {
		return nil, err
	}
	return c.s.agent.Init(c.ctx)
}

func joinCluster(c *call) (any, error) {
	if err := c.localOnly(); err != nil {
		return nil, err
	}
	var j api.Join
	if err := c.decode(&j); err != nil {
		return nil, err
	}
	return c.s.agent.Join(c.ctx, j)
}

func leaveCluster(c *call) (any, error) {
	if err := c.localOnly(); err != nil {
		return nil, err
	}
	var l api.Leave
	if err := c.decode(&l); err != nil {
		return nil, err
	}
	return nil, c.s.agent.Leave(c.ctx, l)
}
