package state

import (
	"slices"
	"strings"
	"testing"

	"github.com/musterhq/muster/cluster"
)

// publishing is a spec with ports, each published above 8000.
func publishing(targets ...uint16) cluster.ServiceSpec {
	s := spec("a", 1)
	for _, t := range targets {
		s.Template.Ports = append(s.Template.Ports, cluster.Port{Target: t, Published: 8000 + t, Protocol: "tcp", Mode: cluster.Ingress})
	}
	return s
}

// shifted is a spec whose ports are published elsewhere.
func shifted(s cluster.ServiceSpec) cluster.ServiceSpec {
	for i := range s.Template.Ports {
		s.Template.Ports[i].Published += 1000
	}
	return s
}

func redirecting(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, "n1")
	w.must(PutStack{Stack: "s", Services: []NamedSpec{{"a", publishing(80)}, {"c", publishing(81, 82)}, {"quiet", publishing()}}})
	w.must(PutStack{Stack: "t", Services: []NamedSpec{{"b", shifted(publishing(80))}}})
	return w
}

func (w *world) redirect(id cluster.ServiceID) cluster.ServiceID {
	s, ok := w.View().Service(id)
	if !ok {
		w.t.Fatalf("%s is gone", id)
	}
	return s.Redirect
}

func TestRedirect(t *testing.T) {
	w := redirecting(t)
	body := Redirect{Service: "s/a", To: "t/b", Note: cluster.Note{Author: "ann"}}
	if got := Needs(body); got != 3 {
		t.Errorf("it needs version %d", got)
	}
	if r := w.must(body); w.redirect("s/a") != "t/b" || r.Services[0].Action != "redirected" || r.Services[0].Generation != 1 {
		t.Errorf("to %q, %+v", w.redirect("s/a"), r.Services)
	}
	if r := w.must(body); r.Services[0].Action != "unchanged" {
		t.Errorf("a second time: %+v", r.Services)
	}
	w.must(Redirect{Service: "s/a"})
	if to := w.redirect("s/a"); to != "" {
		t.Errorf("it goes on to %s", to)
	}
}

func TestRedirectIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		before Body
		redirect
		want string
	}{
		"nobody":           {nil, redirect{"s/x", "t/b"}, "there is no service s/x"},
		"to nobody":        {nil, redirect{"s/a", "t/x"}, "there is no service t/x"},
		"to itself":        {nil, redirect{"s/a", "s/a"}, "to itself"},
		"no port":          {nil, redirect{"s/quiet", "t/b"}, "publishes no port"},
		"no such port":     {nil, redirect{"s/a", "s/c"}, "publishes neither"},
		"on and on":        {Redirect{Service: "t/b", To: "s/a"}, redirect{"s/c", "t/b"}, "is redirected to s/a itself"},
		"on from it":       {Redirect{Service: "s/c", To: "s/a"}, redirect{"s/a", "t/b"}, "s/c is redirected to s/a; end that first"},
		"to one that goes": {RemoveStack{Stack: "t"}, redirect{"s/a", "t/b"}, "there is no service t/b"},
	} {
		t.Run(name, func(t *testing.T) {
			w := redirecting(t)
			if c.before != nil {
				w.must(c.before)
			}
			r := w.do("", Redirect{Service: c.from, To: c.to})
			if r.Err == nil || !strings.Contains(r.Err.Message, c.want) {
				t.Errorf("got %v, want %q", r.Err, c.want)
			}
		})
	}
}

type redirect struct{ from, to cluster.ServiceID }

// It ends when either service goes, or what it leads to has no port for it.
func TestRedirectEnds(t *testing.T) {
	for name, c := range map[string]struct {
		then Body
		ends string // "": it goes on
	}{
		"the target is removed": {RemoveStack{Stack: "t"}, "t/b was removed"},
		"its service is":        {RemoveStack{Stack: "s", Services: []string{"a"}}, "the service was removed"},
		"the port is moved":     {PutStack{Stack: "t", Services: []NamedSpec{{"b", shifted(publishing(81, 82))}}}, "t/b publishes neither"},
		"a deploy leaves it":    {PutStack{Stack: "t", Services: []NamedSpec{{"b", shifted(publishing(81))}}}, ""},
		"another goes":          {RemoveStack{Stack: "s", Services: []string{"c"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := redirecting(t)
			w.must(Redirect{Service: "s/a", To: "t/b"})
			w.must(c.then)
			if (w.redirect("s/a") == "") != (c.ends != "") {
				t.Errorf("it goes to %q", w.redirect("s/a"))
			}
			ended := slices.ContainsFunc(w.View().LastEvents(10, nil), func(e *Event) bool {
				return e.Action == "redirect-ended" && strings.Contains(e.Message, c.ends)
			})
			if ended != (c.ends != "") {
				t.Errorf("%v in the history: %v", c.ends, ended)
			}
		})
	}
}
