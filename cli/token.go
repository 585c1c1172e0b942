package cli

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
)

func (c *CLI) newToken() *cobra.Command {
	return group("token", "Join tokens", c.newTokenCreate(), c.newTokenList(), c.newTokenRemove())
}

func (c *CLI) newTokenCreate() *cobra.Command {
	var o output
	var ttl time.Duration
	var uses int
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a token that lets hosts join",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if ttl <= 0 || uses < 0 {
				return usagef("--ttl must be above 0 and --uses not below")
			}
			cl, err := c.connect()
			if err != nil {
				return err
			}
			t, err := cl.CreateToken(cmd.Context(), api.CreateToken{TTL: ttl.String(), Uses: uses})
			switch {
			case err != nil:
				return err
			case o.quiet:
				c.printf("%s", t.Secret)
			case o.format == formatJSON || o.format == formatYAML:
				return encode(c.Stdout, o.format, t)
			default:
				c.printf("Join hosts with this command, until %s:\n\n  %s", t.Expires.Local().Format(time.DateTime), t.Command)
			}
			return nil
		},
	}
	o.register(cmd, "print the token alone")
	cmd.Flags().DurationVar(&ttl, "ttl", 15*time.Minute, "how long it can be used")
	cmd.Flags().IntVar(&uses, "uses", 0, "how many hosts can use it (default: 100)")
	return cmd
}

func (c *CLI) newTokenList() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the tokens that can still be used",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			tokens, err := cl.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			return list(c, o, tokens, func(t api.Token) string { return t.ID }, []column[api.Token]{
				{title: "ID", text: func(t api.Token) string { return t.ID }},
				{title: "USES LEFT", text: func(t api.Token) string { return strconv.Itoa(t.Uses) }},
				{title: "EXPIRES", text: func(t api.Token) string { return t.Expires.Local().Format(time.DateTime) }},
				{title: "AGE", text: func(t api.Token) string { return c.age(t.Created) }},
			})
		},
	}
	o.register(cmd, "print IDs alone")
	return cmd
}

func (c *CLI) newTokenRemove() *cobra.Command {
	return &cobra.Command{
		Use:               "rm ID...",
		Aliases:           []string{"remove"},
		Short:             "Revoke tokens",
		Args:              atLeast("ID"),
		ValidArgsFunction: c.completeAll(tokenIDs),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			for _, id := range args {
				if err := cl.RemoveToken(cmd.Context(), id); err != nil {
					return err
				}
				c.printf("%s revoked", id)
			}
			return nil
		},
	}
}
