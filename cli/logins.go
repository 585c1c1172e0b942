package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/distribution/reference"
	dockerconfig "github.com/docker/cli/cli/config"
	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/api/client"
	"github.com/musterhq/muster/compose"
)

// logins says whether the user's registry logins go to the cluster.
type logins struct{ send bool }

func (l *logins) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&l.send, "with-registry-auth", false, "give the cluster this user's logins (docker login) to the registries of the images; they are kept sealed")
}

// dockerHub is the key under which `docker login` keeps the login to docker.io.
const dockerHub = "https://index.docker.io/v1/"

// sendLogins hands over the login to each registry that the stack's images come
// from. A registry without one is open, or refuses later with a clear reason.
func (c *CLI) sendLogins(ctx context.Context, cl *client.Client, stack *compose.Stack) error {
	file, err := dockerconfig.Load("")
	if err != nil {
		return fmt.Errorf("read this user's registry logins: %w", err)
	}
	for _, server := range registries(stack) {
		key := server
		if server == "docker.io" {
			key = dockerHub
		}
		auth, err := file.GetAuthConfig(key)
		if err != nil {
			return fmt.Errorf("read the login to %s: %w", server, err)
		}
		if auth.Username == "" && auth.IdentityToken == "" {
			continue
		}
		login := api.RegistryLogin{Username: auth.Username, Password: auth.Password, IdentityToken: auth.IdentityToken}
		if err := cl.SetRegistry(ctx, server, login); err != nil {
			return fmt.Errorf("give the cluster the login to %s: %w", server, err)
		}
		c.notef("the cluster now has your login to %s", server)
	}
	return nil
}

// registries are the registries of a stack's images, each once.
func registries(stack *compose.Stack) []string {
	var out []string
	for _, s := range stack.Services {
		named, err := reference.ParseNormalizedNamed(s.Spec.Template.Container.Image.Ref)
		if err == nil {
			out = append(out, reference.Domain(named))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
