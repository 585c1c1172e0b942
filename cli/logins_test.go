package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/compose"
)

func TestRegistriesOfAStack(t *testing.T) {
	stack := &compose.Stack{}
	for _, ref := range []string{"nginx:1.27", "registry.example.org:5000/shop/web:2", "library/redis", "registry.example.org:5000/shop/api", "not a reference"} {
		spec := cluster.ServiceSpec{}
		spec.Template.Container.Image.Ref = ref
		stack.Services = append(stack.Services, compose.Service{Spec: spec})
	}
	if d := cmp.Diff([]string{"docker.io", "registry.example.org:5000"}, registries(stack)); d != "" {
		t.Fatal(d)
	}
}
