package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// none is the answer of a call that has nothing to say.
type none = struct{}

// Version asks for the agent's build.
func (c *Client) Version(ctx context.Context) (api.Version, error) {
	return read[api.Version](ctx, c, path("version"), nil)
}

// Status asks for the cluster at a glance.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return read[api.Status](ctx, c, path("status"), nil)
}

// Tokens lists the join tokens.
func (c *Client) Tokens(ctx context.Context) ([]api.Token, error) {
	return read[[]api.Token](ctx, c, path("tokens"), nil)
}

// CreateToken makes a join token.
func (c *Client) CreateToken(ctx context.Context, t api.CreateToken) (api.NewToken, error) {
	return write[api.NewToken](ctx, c, call{method: http.MethodPost, path: path("tokens"), body: t, once: true})
}

// RemoveToken revokes a join token.
func (c *Client) RemoveToken(ctx context.Context, id string) error {
	_, err := write[none](ctx, c, call{method: http.MethodDelete, path: path("tokens", id)})
	return err
}

// Settings asks for those of the whole cluster.
func (c *Client) Settings(ctx context.Context) (api.Settings, error) {
	return read[api.Settings](ctx, c, path("settings"), nil)
}

// Configure changes some of the cluster's settings.
func (c *Client) Configure(ctx context.Context, change cluster.SettingsChange) (api.Settings, error) {
	return write[api.Settings](ctx, c, call{
		method: http.MethodPost, path: path("settings"), body: api.Configure{SettingsChange: change, Request: newRequest()},
	})
}

// Trust asks for the authorities and the gossip keys.
func (c *Client) Trust(ctx context.Context) (api.TrustStatus, error) {
	return read[api.TrustStatus](ctx, c, path("trust"), nil)
}

// RotateCA begins to replace the certificate authority.
func (c *Client) RotateCA(ctx context.Context) (api.TrustStatus, error) {
	return write[api.TrustStatus](ctx, c, call{method: http.MethodPost, path: path("ca", "rotate"), once: true})
}

// RotateKey begins to replace the gossip key.
func (c *Client) RotateKey(ctx context.Context) (api.TrustStatus, error) {
	return write[api.TrustStatus](ctx, c, call{method: http.MethodPost, path: path("key", "rotate"), once: true})
}

// Nodes lists the nodes.
func (c *Client) Nodes(ctx context.Context) ([]api.Node, error) {
	return read[[]api.Node](ctx, c, path("nodes"), nil)
}

// Node shows a node by its ID, the beginning of it, or its name.
func (c *Client) Node(ctx context.Context, node string) (api.NodeDetail, error) {
	return read[api.NodeDetail](ctx, c, path("nodes", node), nil)
}

// RemoveNode takes a node out of the cluster; with force, also one that is up.
func (c *Client) RemoveNode(ctx context.Context, node string, force bool) error {
	r := call{method: http.MethodDelete, path: path("nodes", node)}
	if force {
		r.query = url.Values{"force": {"1"}}
	}
	_, err := write[none](ctx, c, r)
	return err
}

// SetAvailability changes what the operator allows on a node; with dryRun
// nothing changes and the answer says what would.
func (c *Client) SetAvailability(ctx context.Context, node string, a cluster.Availability, dryRun bool) (api.NodeDetail, error) {
	return write[api.NodeDetail](ctx, c, call{
		method: http.MethodPost, path: path("nodes", node, "availability"), body: api.SetAvailability{Availability: a, DryRun: dryRun},
	})
}

// SetLabels changes a node's labels.
func (c *Client) SetLabels(ctx context.Context, node string, l api.SetLabels) (api.NodeDetail, error) {
	return write[api.NodeDetail](ctx, c, call{method: http.MethodPost, path: path("nodes", node, "labels"), body: l})
}

// Doctor examines every node and the ways between them.
func (c *Client) Doctor(ctx context.Context) ([]api.Finding, error) {
	return attempt[[]api.Finding](ctx, c, call{method: http.MethodGet, path: path("doctor"), timeout: time.Minute})
}

// DoctorLocal examines this host alone, member or not, and the way from it to an
// address unless that is "".
func (c *Client) DoctorLocal(ctx context.Context, to string) ([]api.Finding, error) {
	r := call{method: http.MethodGet, path: path("local", "doctor"), timeout: time.Minute}
	if to != "" {
		r.query = url.Values{"to": {to}}
	}
	return attempt[[]api.Finding](ctx, c, r)
}

// TaskUsage measures what tasks use, on every node that answers.
func (c *Client) TaskUsage(ctx context.Context) ([]api.TaskUsage, error) {
	return read[[]api.TaskUsage](ctx, c, path("usage"), nil)
}

// Images lists the images on the nodes.
func (c *Client) Images(ctx context.Context) ([]api.Image, error) {
	return read[[]api.Image](ctx, c, path("images"), nil)
}

// SetRegistry stores the credential of a registry.
func (c *Client) SetRegistry(ctx context.Context, server string, l api.RegistryLogin) error {
	_, err := write[none](ctx, c, call{method: http.MethodPut, path: path("registries", server), body: l})
	return err
}

// Local asks for this host's agent.
func (c *Client) Local(ctx context.Context) (api.Local, error) {
	return read[api.Local](ctx, c, path("local"), nil)
}

// Init makes a cluster of this host.
func (c *Client) Init(ctx context.Context) (api.Initialised, error) {
	return attempt[api.Initialised](ctx, c, call{method: http.MethodPost, path: path("init"), body: api.Init{}, timeout: time.Minute})
}

// Join joins this host to a cluster.
func (c *Client) Join(ctx context.Context, j api.Join) (api.Joined, error) {
	return attempt[api.Joined](ctx, c, call{method: http.MethodPost, path: path("join"), body: j, timeout: 2 * time.Minute})
}

// Leave takes this host out of its cluster. It returns when the tasks have
// moved, however long that takes.
func (c *Client) Leave(ctx context.Context, force bool) error {
	_, err := attempt[none](ctx, c, call{method: http.MethodPost, path: path("leave"), body: api.Leave{Force: force}})
	return err
}
