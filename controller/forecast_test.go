package controller

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
)

// foretell forecasts a deploy of stack s, and checks that nothing was changed.
func (w *world) foretell(services ...state.NamedSpec) api.Forecast {
	w.t.Helper()
	return w.foretellBy(Facts{}, services...)
}

// foretellBy is foretell where the leader knows something.
func (w *world) foretellBy(facts Facts, services ...state.NamedSpec) api.Forecast {
	w.t.Helper()
	before := w.st.View()
	scratch := before.Fork()
	if res := scratch.Apply(before.Index()+1, state.Command{At: w.now, Body: state.PutStack{Stack: "s", Services: services}}); res.Err != nil {
		w.t.Fatal(res.Err)
	}
	f, err := Forecast(w.t.Context(), before, scratch.View(), "s", facts)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.st.View().Hash() != before.Hash() {
		w.t.Error("the state was changed")
	}
	return f
}

func lines(f api.Forecast) []string {
	var out []string
	for _, t := range f.Tasks {
		out = append(out, fmt.Sprintf("%s %s.%d %s>%s%s", t.Action, t.Service, t.Slot, t.From, t.Node, t.Reason))
	}
	for _, i := range f.Images {
		out = append(out, fmt.Sprint("fetch ", i.Image, i.Nodes))
	}
	for _, l := range f.Lowest {
		out = append(out, fmt.Sprintf("%s falls to %d of %d", l.Service, l.Ready, l.Before))
	}
	return append(out, fmt.Sprint("ends ", f.Ends))
}

func TestForecast(t *testing.T) {
	next := func(s *cluster.ServiceSpec) {
		s.Template.Container.Image = cluster.Image{Ref: "web:2", Digest: "sha256:2"}
	}
	stops := func(s *cluster.ServiceSpec) { s.Update.Order = cluster.StopFirst }
	for name, tc := range map[string]struct {
		to   []state.NamedSpec
		want []string
	}{
		"another image": {[]state.NamedSpec{{Name: "web", Spec: spec(2, 500, next)}}, []string{
			"replace s/web.1 a>a", "replace s/web.2 a>a", "fetch web:2[a]", "ends true",
		}},
		"stop first": {[]state.NamedSpec{{Name: "web", Spec: spec(2, 500, next, stops)}}, []string{
			"replace s/web.1 a>a", "replace s/web.2 a>a", "fetch web:2[a]", "s/web falls to 1 of 2", "ends true",
		}},
		"fewer": {[]state.NamedSpec{{Name: "web", Spec: spec(1, 500)}}, []string{"stop s/web.2 >a", "s/web falls to 1 of 2", "ends true"}},
		"none":  {nil, []string{"stop s/web.1 >a", "stop s/web.2 >a", "ends true"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, t0, "a")
			w.deploy(map[string]cluster.ServiceSpec{"web": spec(2, 500)})
			w.settle()
			w.runAll()
			if d := cmp.Diff(tc.want, lines(w.foretell(tc.to...))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestForecastSaysWhatFindsNoRoom(t *testing.T) {
	w := newWorld(t, t0, "a")
	f := w.foretell(state.NamedSpec{Name: "web", Spec: spec(1, 8000)})
	if len(f.Tasks) != 1 || f.Tasks[0].Action != "pending" || f.Tasks[0].Reason == "" || !f.Ends {
		t.Errorf("%+v", f)
	}
}
