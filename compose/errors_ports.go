package compose

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/musterhq/muster/cluster"
)

// findPort looks for the short port definition behind err: the loader says what
// is wrong with it and not where it is. Without one, err is returned.
func findPort(ctx context.Context, err error, details types.ConfigDetails, options []func(*loader.Options)) error {
	uninterpolated := append(slices.Clone(options), func(o *loader.Options) {
		o.SkipInterpolation = true // which also leaves short definitions as they are
	})
	dict, loadErr := loader.LoadModelWithContext(ctx, details, uninterpolated...)
	if loadErr != nil {
		return err
	}
	vars := &substituter{unset: make(map[string]bool)}
	services, _ := dict["services"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(services)) {
		service, _ := services[name].(map[string]any)
		ports, _ := service["ports"].([]any)
		for i, port := range ports {
			text, ok := port.(string)
			if !ok {
				continue
			}
			value, substErr := vars.substitute(text, details.LookupEnv)
			if substErr != nil {
				return err
			}
			if _, parseErr := types.ParsePortConfig(value); parseErr != nil {
				return cluster.Invalid(fmt.Sprintf("services.%s.ports[%d]", name, i), parseErr.Error(), `write it as "8080:80"`)
			}
		}
	}
	return err
}
