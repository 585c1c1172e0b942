package lb

import (
	"testing"

	"github.com/musterhq/muster/cluster"
)

// A generation without a health check that may still have tasks makes the whole
// service one whose tasks may not listen yet.
func TestFromViewTellsWhoIsChecked(t *testing.T) {
	check := &cluster.Healthcheck{Test: []string{"CMD", "/check"}}
	for name, tt := range map[string]struct {
		now, before *cluster.Healthcheck
		probe       *cluster.Probe
		want        bool
	}{
		"nobody checks":             {nil, nil, nil, false},
		"the engine does":           {check, check, nil, true},
		"the node does":             {nil, check, &cluster.Probe{}, true},
		"switched off":              {&cluster.Healthcheck{Test: []string{"NONE"}}, check, nil, false},
		"the generation before not": {check, nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := publishing("shop/web", 0, ingress(80, 80))
			s.Spec.Template.Container.Healthcheck, s.Spec.Template.Container.Probe = tt.now, tt.probe
			old := s.Spec.Template
			old.Container.Healthcheck, old.Container.Probe = tt.before, nil
			s.History = []cluster.Generation{{Number: 0, Template: old}}
			if got := FromView(fakeView{services: []*cluster.Service{s}}).Services[0].Checked; got != tt.want {
				t.Errorf("checked: %v, want %v", got, tt.want)
			}
		})
	}
}
