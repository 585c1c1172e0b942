package client

import (
	"context"

	"github.com/musterhq/muster/api"
)

// Networks lists the networks of all stacks.
func (c *Client) Networks(ctx context.Context) ([]api.Network, error) {
	return read[[]api.Network](ctx, c, path("networks"), nil)
}

// Network shows one network.
func (c *Client) Network(ctx context.Context, stack, network string) (api.NetworkDetail, error) {
	return read[api.NetworkDetail](ctx, c, path("networks", stack, network), nil)
}
