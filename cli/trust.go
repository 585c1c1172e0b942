package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
)

// caRotated is what holds a rotation of the authority up, and what it ends.
const caRotated = `Every node gets a certificate of a new authority; both are trusted meanwhile. Join
tokens that were made before end when the new authority begins to sign. A node
that is down holds the end up for a week at most; one that comes back later is known
by its own key and gets a new certificate.`

const keyRotated = `Every node gets a new key, which then encrypts what nodes tell each other about
membership. It happens by itself as often as key_rotation in the agent's
settings says: every 30 days. A node that is down gets it when it is back.`

func (c *CLI) newCA() *cobra.Command {
	ls := listTrust(c, "List the certificate authorities that the nodes trust",
		func(t api.TrustStatus) []api.Authority { return t.Authorities },
		func(a api.Authority) string { return a.Hash }, []column[api.Authority]{
			{title: "HASH", text: func(a api.Authority) string { return short(a.Hash) }},
			{title: "STATE", text: func(a api.Authority) string { return a.Role }},
			{title: "SINCE", text: func(a api.Authority) string { return c.age(a.Since) }},
		})
	return group("ca", "The cluster's certificate authority", ls, c.newRotate(rotating{
		about: "Replace the certificate authority", long: caRotated, look: "muster ca ls",
		begin: (*client.Client).RotateCA, parts: func(t api.TrustStatus) int { return len(t.Authorities) },
	}))
}

func (c *CLI) newKey() *cobra.Command {
	ls := listTrust(c, "List the keys that encrypt membership",
		func(t api.TrustStatus) []api.GossipKey { return t.GossipKeys },
		func(k api.GossipKey) string { return k.Role }, []column[api.GossipKey]{
			{title: "STATE", text: func(k api.GossipKey) string { return k.Role }},
			{title: "SINCE", text: func(k api.GossipKey) string { return c.age(k.Since) }},
		})
	return group("key", "The key that encrypts membership", ls, c.newRotate(rotating{
		about: "Replace the key", long: keyRotated, look: "muster key ls",
		begin: (*client.Client).RotateKey, parts: func(t api.TrustStatus) int { return len(t.GossipKeys) },
	}))
}

// short is the beginning of a hash, enough to tell two apart.
func short(hash string) string { return hash[:min(12, len(hash))] }

// listTrust lists a part of what the nodes hold, and whom a rotation waits for.
func listTrust[T any](c *CLI, about string, part func(api.TrustStatus) []T, id func(T) string, columns []column[T]) *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   about,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			t, err := cl.Trust(cmd.Context())
			if err != nil {
				return err
			}
			if len(t.Waiting) > 0 {
				c.notef("The rotation waits for %s.", strings.Join(t.Waiting, ", "))
			}
			return list(c, o, part(t), id, columns)
		},
	}
	o.register(cmd, "print one word for each alone")
	return cmd
}

// rotating is one kind of rotation.
type rotating struct {
	about, long, look string
	begin             func(*client.Client, context.Context) (api.TrustStatus, error)
	parts             func(api.TrustStatus) int // more than one while it goes on
}

// newRotate is the verb that begins a rotation and waits for its end.
func (c *CLI) newRotate(r rotating) *cobra.Command {
	var w waiting
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: r.about,
		Long:  r.long,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			t, err := r.begin(cl, cmd.Context())
			if err != nil || w.detach {
				return err
			}
			return c.rotated(cmd.Context(), cl, r, w, t)
		},
	}
	w.register(cmd, "do not wait until every node has followed")
	return cmd
}

func (c *CLI) rotated(ctx context.Context, cl *client.Client, r rotating, w waiting, t api.TrustStatus) error {
	err := c.poll(ctx, w.timeout, func(ctx context.Context) (done bool, err error) {
		t, err = cl.Trust(ctx)
		return err == nil && r.parts(t) == 1, err
	})
	switch {
	case errors.Is(err, errTimedOut):
		waits := "nodes that are down"
		if len(t.Waiting) > 0 {
			waits = strings.Join(t.Waiting, ", ")
		}
		return &exitStatus{exitUnhealthy, fmt.Errorf("the rotation is not over after %s, it waits for %s and goes on by itself; see: %s", w.timeout, waits, r.look)}
	case err != nil:
		return c.detached(err, "the rotation goes on; see: "+r.look)
	}
	c.printf("Every node has followed.")
	return nil
}
