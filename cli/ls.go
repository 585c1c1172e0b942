package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
)

func (c *CLI) newList() *cobra.Command {
	var o output
	cmd := &cobra.Command{
		Use:               "ls [STACK]",
		Aliases:           []string{"list"},
		Short:             "List the services",
		Args:              atMost("STACK"),
		ValidArgsFunction: c.completeFirst(stackNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.connect()
			if err != nil {
				return err
			}
			services, err := cl.Services(cmd.Context(), strings.Join(args, ""))
			if err != nil {
				return err
			}
			for i := range services {
				services[i].Ports = list0(services[i].Ports)
			}
			return list(c, o, services, func(s api.Service) string { return s.Service }, serviceColumns)
		},
	}
	o.register(cmd, "print names alone")
	return cmd
}

var serviceColumns = []column[api.Service]{
	{title: "SERVICE", text: func(s api.Service) string { return s.Service }},
	{title: "MODE", text: func(s api.Service) string { return s.Mode }},
	{title: "RUNNING", text: func(s api.Service) string { return fmt.Sprintf("%d/%d", s.Running, s.Desired) }, style: serviceStyle},
	{title: "HEALTHY", text: func(s api.Service) string { return strconv.Itoa(s.Healthy) }, style: serviceStyle},
	{title: "IMAGE", text: func(s api.Service) string { return s.Image }},
	{title: "PORTS", text: servicePorts},
	{title: "ADDRESS", wide: true, text: func(s api.Service) string { return orNone(s.Address) }},
	{title: "GENERATION", wide: true, text: func(s api.Service) string { return strconv.FormatUint(s.Generation, 10) }},
	{title: "PROBLEM", text: serviceProblem, style: func(api.Service) paint.Style { return paint.Red }},
}

func servicePorts(s api.Service) string {
	ports := orNone(strings.Join(s.Ports, ", "))
	if s.Redirect != "" {
		ports += " to " + s.Redirect
	}
	return ports
}

func serviceStyle(s api.Service) paint.Style {
	if s.Healthy < s.Desired || s.Running < s.Desired {
		return paint.Yellow
	}
	return paint.Plain
}

func serviceProblem(s api.Service) string {
	if s.Removing {
		return "is being removed"
	}
	return s.Problem
}
