package server

import (
	"cmp"
	"maps"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

func getSettings(c *call) (any, error) {
	p := c.present()
	out := settingsOf(p.view.Settings())
	out.Stale = c.stale
	return out, nil
}

func configure(c *call) (any, error) {
	var in api.Configure
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	v, _ := c.State.View()
	if err := v.Settings().With(in.SettingsChange).Validate(); err != nil {
		return nil, err
	}
	if _, err := c.propose(in.Request, state.Configure{Change: in.SettingsChange}); err != nil {
		return nil, err
	}
	v, _ = c.State.View()
	return settingsOf(v.Settings()), nil
}

// settingsOf says what holds, also where nothing was set.
func settingsOf(s cluster.Settings) api.Settings {
	out := api.Settings{
		Policy: cmp.Or(s.Policy, cluster.PolicyHybrid), Queue: cmp.Or(s.Queue, cluster.QueuePriority), Weights: map[string]float64{},
		NetworkPool: s.Pool().Prefix, Encrypt: cmp.Or(s.Encrypt, cluster.EncryptOn),
	}
	maps.Copy(out.Weights, s.Weights)
	return out
}
