package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

func (c *CLI) newValidate() *cobra.Command {
	var files []string
	var resolved bool
	o := output{format: formatYAML}
	cmd := &cobra.Command{
		Use:               "validate [-f FILE] [STACK]",
		Short:             "Check a Compose file without a cluster",
		Args:              atMost("STACK"),
		ValidArgsFunction: c.completeFirst(stackNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			stack, err := c.loadStack(cmd.Context(), files, strings.Join(args, ""))
			if err != nil {
				return err
			}
			switch {
			case o.format == formatJSON, resolved:
				if o.format != formatJSON {
					o.format = formatYAML
				}
				return encode(c.Stdout, o.format, stack)
			case !o.quiet:
				c.printf("stack %s is valid: %s, %s", stack.Name, plural(len(stack.Services), "service"), plural(len(stack.Warnings), "warning"))
			}
			return nil
		},
	}
	registerFiles(cmd, &files)
	o.register(cmd, "print nothing when it is valid")
	cmd.Flags().BoolVar(&resolved, "resolved", false, "print what is understood")
	return cmd
}
