package compose

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/musterhq/muster/cluster"
)

// Load reads, merges and interpolates Compose files and returns the stack that
// they describe, valid by cluster.ValidateStack. What a file gets wrong is
// returned as a *cluster.FieldError that names the field, where the fault has
// one. Load never panics.
func Load(ctx context.Context, o Options) (stack *Stack, err error) {
	// The parser is another project's and takes user input with unchecked
	// type assertions in places.
	defer func() {
		if fault := recover(); fault != nil {
			stack, err = nil, fmt.Errorf("read compose file: its form is not understood: %v", fault)
		}
	}()
	in, err := read(o)
	if err != nil {
		return nil, err
	}
	model, warnings, err := in.load(ctx, o.Stack)
	if err != nil {
		return nil, err
	}
	stack, err = convert(model)
	if err != nil {
		return nil, err
	}
	stack.Warnings = sorted(append(stack.Warnings, warnings...))
	if err := cluster.ValidateStackNetworks(stack.Name, stack.Networks, stack.Specs()); err != nil {
		return nil, err
	}
	return stack, cluster.ValidateStack(stack.Name, stack.Specs())
}

// load merges the files, passes the verdict on every field, and binds the
// result to the specification's types.
func (in *input) load(ctx context.Context, name string) (*types.Project, []Warning, error) {
	if name != "" {
		if err := cluster.ValidateName("stack", name); err != nil {
			return nil, nil, err
		}
	}
	vars := &substituter{unset: make(map[string]bool)}
	details := types.ConfigDetails{WorkingDir: in.dir, ConfigFiles: in.files, Environment: in.env}
	options := []func(*loader.Options){
		func(o *loader.Options) {
			o.SkipNormalization = true // after the verdict, so that it sees the user's fields alone
			o.MaxNodeVisits = maxNodes
			o.Interpolate.Substitute = vars.substitute
			o.SetProjectName(cmp.Or(name, normalise(filepath.Base(in.dir)), "stack"), name != "")
		},
	}
	dict, err := loader.LoadModelWithContext(ctx, details, options...)
	if err != nil {
		return nil, nil, in.explain(findPort(ctx, err, details, options))
	}
	inFile, _ := dict["name"].(string)
	if name, err = stackName(name, inFile, in.dir); err != nil {
		return nil, nil, err
	}
	warnings, err := judge(dict)
	if err != nil {
		return nil, nil, err
	}
	if in.obsolete {
		warnings = append(warnings, obsoleteVersion)
	}
	project, err := in.bind(dict, name, details, options)
	return project, append(warnings, vars.warnings()...), err
}

func (in *input) bind(dict map[string]any, name string, details types.ConfigDetails, options []func(*loader.Options)) (*types.Project, error) {
	dict["name"] = name
	dict, err := loader.Normalize(dict, in.env)
	if err != nil {
		return nil, in.explain(err)
	}
	opts := loader.ToOptions(&details, options)
	opts.SetProjectName(name, true)
	project, err := loader.ModelToProject(dict, opts, details)
	if err != nil {
		return nil, in.explain(err)
	}
	return project, nil
}

// sorted orders warnings by field and drops repeated ones.
func sorted(list []Warning) []Warning {
	slices.SortFunc(list, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(list)
}
