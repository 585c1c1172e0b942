package compose

import (
	"maps"
	"path/filepath"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/musterhq/muster/cluster"
)

// convert makes a stack of a loaded project. The first fault, in the order of
// the services' names, is returned as a *cluster.FieldError.
func convert(project *types.Project) (*Stack, error) {
	stack := &Stack{Name: project.Name}
	nets, warnings, err := networks(project)
	if err != nil {
		return nil, err
	}
	volumes := make(map[string]Volume)
	for _, name := range slices.Sorted(maps.Keys(project.Services)) {
		config := project.Services[name]
		c := &converter{field: "services." + name, project: project, config: &config, volumes: volumes, networks: nets}
		service, err := c.service(name)
		if err != nil {
			return nil, err
		}
		stack.Services = append(stack.Services, service)
		stack.Warnings = append(stack.Warnings, c.warnings...)
	}
	for _, name := range slices.Sorted(maps.Keys(volumes)) {
		stack.Volumes = append(stack.Volumes, volumes[name])
	}
	stack.Networks = declared(nets)
	stack.Warnings = append(append(stack.Warnings, warnings...), volumeNames(project)...)
	return stack, nil
}

// volumeNames warns of the names that volumes of the stack's own will not get.
func volumeNames(project *types.Project) []Warning {
	var out []Warning
	for key, volume := range project.Volumes {
		if !volume.External && volume.Name != "" && volume.Name != project.Name+"_"+key {
			out = append(out, Warning{"volumes." + key + ".name", "has no effect: Muster makes the names of its volumes of stack and volume"})
		}
	}
	return out
}

// converter turns one service into its spec.
type converter struct {
	field    string // place of the service
	project  *types.Project
	config   *types.ServiceConfig
	volumes  map[string]Volume // of the stack, by their key in the file
	networks map[string]*network
	warnings []Warning
}

func (c *converter) warn(name, message string) {
	c.warnings = append(c.warnings, Warning{join(c.field, name), message})
}

func (c *converter) invalid(name, reason, hint string) error {
	return cluster.Invalid(join(c.field, name), reason, hint)
}

func (c *converter) service(name string) (Service, error) {
	if err := cluster.ValidateName(c.field, name); err != nil {
		return Service{}, err
	}
	service := Service{Name: name, Build: c.build()}
	spec := &service.Spec
	container, err := c.container()
	if err != nil {
		return Service{}, err
	}
	spec.Template.Container = container
	if service.Build != nil && container.Image.Ref == "" {
		spec.Template.Container.Image.Ref = c.project.Name + "-" + name
	}
	for _, part := range []func(*cluster.ServiceSpec) error{c.scale, c.resources, c.more, c.restart, c.placement, c.own, c.ports, c.joins, c.updates, c.depends} {
		if err := part(spec); err != nil {
			return Service{}, err
		}
	}
	return service, spec.Validate(c.field)
}

func (c *converter) build() *Build {
	b := c.config.Build
	if b == nil {
		return nil
	}
	out := &Build{Context: b.Context, Dockerfile: b.Dockerfile, Target: b.Target}
	if out.Dockerfile == "" {
		out.Dockerfile = "Dockerfile"
	}
	switch out.Context {
	case "":
		out.Context = c.project.WorkingDir
	case ".":
		out.Context = filepath.Clean(c.project.WorkingDir)
	}
	for key, value := range b.Args {
		if value == nil {
			continue
		}
		if out.Args == nil {
			out.Args = make(map[string]string)
		}
		out.Args[key] = *value
	}
	return out
}
