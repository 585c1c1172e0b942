package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// named is a service of a deploy, of the image web:1 unless edited.
func named(name string, edit ...func(*cluster.ServiceSpec)) api.NamedSpec {
	s := cluster.ServiceSpec{Mode: cluster.Replicated, Replicas: 1}
	s.Template.Container.Image.Ref = "web:1"
	for _, e := range edit {
		e(&s)
	}
	return api.NamedSpec{Name: name, Spec: s}
}

func publishes(port uint16) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) {
		s.Template.Ports = []cluster.Port{{Target: 80, Published: port, Protocol: "tcp", Mode: cluster.Ingress}}
	}
}

func digest(d string) func(*cluster.ServiceSpec) {
	return func(s *cluster.ServiceSpec) { s.Template.Container.Image.Digest = d }
}

var someDigest = "sha256:" + strings.Repeat("a", 64)

func TestDeployErrorsNameTheField(t *testing.T) {
	r := newRing(t, nil, "n1")
	r.host("n1").engine.AddImage("web:1")
	for _, tc := range []struct {
		name, stack string
		services    []api.NamedSpec
		field       string
	}{
		{"a bad stack name", "..", []api.NamedSpec{named("web")}, "name"},
		{"no services", "shop", nil, "services"},
		{"a bad service name", "shop", []api.NamedSpec{named("We_b")}, "services.We_b"},
		{"a service twice", "shop", []api.NamedSpec{named("web"), named("web")}, "services.web"},
		{"negative replicas", "shop", []api.NamedSpec{named("web", replicas(-1))}, "services.web.deploy.replicas"},
		{"no image", "shop", []api.NamedSpec{named("web", image(""))}, "services.web.image"},
		{"a bad image", "shop", []api.NamedSpec{named("db"), named("web", image("We b"))}, "services.web.image"},
		{"an image that nobody has", "shop", []api.NamedSpec{named("db"), named("web", image("absent:1"))}, "services.web.image"},
		{"a port twice", "shop", []api.NamedSpec{named("db", publishes(80)), named("web", publishes(80))}, "services.web.ports[0]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := r.host("n1").try(http.MethodPut, "/v1/stacks/"+strings.ReplaceAll(tc.stack, ".", "%2e"), api.Deploy{Services: tc.services}, nil)
			wantCode(t, "deploy", err, api.CodeInvalid)
			if err != nil && (!strings.HasPrefix(err.Field, tc.field) || err.Message == "") {
				t.Errorf("the error names field %q, want %q: %v", err.Field, tc.field, err)
			}
		})
	}
	if n := len(get[[]api.Service](r.host("n1"), "/v1/services")); n > 0 {
		t.Errorf("%d services were deployed", n)
	}
}

func TestDeployThroughAnyNode(t *testing.T) {
	for _, through := range []string{"n1", "n2", "w3"} {
		t.Run(through, func(t *testing.T) {
			r := newRing(t, nil, "n1", "n2", "w3")
			h := r.host(through)
			h.engine.AddImage("web:1") // resolved where the user is, though the leader lacks it
			var out api.Deployed
			in := api.Deploy{Services: []api.NamedSpec{named("web"), named("db")}, Request: ulid.Make().String()}
			wantCode(t, "deploy", h.try(http.MethodPut, "/v1/stacks/shop", in, &out), "")
			want := []api.ServiceChange{
				{Service: "shop/db", Action: "created", Generation: 1}, {Service: "shop/web", Action: "created", Generation: 1},
			}
			if diff := cmp.Diff(want, out.Services); diff != "" || out.Stack != "shop" || out.Index == 0 {
				t.Errorf("the answer %+v (-want +got):\n%s", out, diff)
			}
			if s, _ := r.view().Service("shop/web"); s.Spec.Template.Container.Image.Digest == "" {
				t.Error("the image was not resolved")
			}
			var again api.Deployed
			wantCode(t, "the same request", h.try(http.MethodPut, "/v1/stacks/shop", in, &again), "")
			if again.Index != out.Index {
				t.Errorf("the same request was applied twice, at %d and %d", out.Index, again.Index)
			}
		})
	}
}

// Any member may call the second half of a deploy, so it checks everything.
func TestNodeDeployChecksAgain(t *testing.T) {
	r := newRing(t, nil, "n1", "w2")
	for _, tc := range []struct {
		name    string
		service api.NamedSpec
		want    api.Code
		field   string
	}{
		{"unresolved", named("web"), api.CodeInvalid, "services.web.image"},
		{"invalid", named("web", digest(someDigest), replicas(-1)), api.CodeInvalid, "services.web.deploy.replicas"},
		{"a bad digest", named("web", digest("latest")), api.CodeInvalid, "services.web.image"},
		{"good", named("web", digest(someDigest)), "", ""},
	} {
		err := r.host("w2").call(r.host("n1"), http.MethodPost, "/v1/node/deploy/shop", api.Deploy{Services: []api.NamedSpec{tc.service}}, nil)
		wantCode(t, tc.name, err, tc.want)
		if err != nil && err.Field != tc.field {
			t.Errorf("%s: the error names field %q, want %q", tc.name, err.Field, tc.field)
		}
	}
	wantCode(t, "from the local socket", r.host("n1").try(http.MethodPost, "/v1/node/deploy/shop", api.Deploy{}, nil), api.CodeForbidden)
}

func TestScaleRestartAndRemove(t *testing.T) {
	r := newRing(t, nil, "n1", "n2")
	r.put(publishes(80))
	n2 := r.host("n2")
	do := func(method, path string, in any) (api.ServiceChange, *api.Error) {
		t.Helper()
		var out api.Deployed
		err := n2.try(method, path, in, &out)
		if err != nil {
			return api.ServiceChange{}, err
		}
		if len(out.Services) != 1 || out.Stack != "shop" {
			t.Fatalf("%s %s: %+v", method, path, out)
		}
		return out.Services[0], nil
	}
	const web = "/v1/services/shop/web"
	for _, tc := range []struct {
		name, method, path string
		in                 any
		action             string
		generation         uint64
		code               api.Code
	}{
		{"scale", http.MethodPost, web + "/scale", api.Scale{Replicas: 5}, "scaled", 1, ""},
		{"scale to the same", http.MethodPost, web + "/scale", api.Scale{Replicas: 5}, "unchanged", 1, ""},
		{"scale below nothing", http.MethodPost, web + "/scale", api.Scale{Replicas: -1}, "", 0, api.CodeInvalid},
		{"scale nothing", http.MethodPost, "/v1/services/shop/db/scale", api.Scale{Replicas: 1}, "", 0, api.CodeNotFound},
		{"restart", http.MethodPost, web + "/restart", nil, "updated", 2, ""},
		{"restart with a reason", http.MethodPost, web + "/restart", api.Restart{Note: cluster.Note{Author: "ann", Message: "it is slow"}}, "updated", 3, ""},
		{"restart with nonsense", http.MethodPost, web + "/restart", map[string]string{"why": "x"}, "", 0, api.CodeInvalid},
		{"restart nothing", http.MethodPost, "/v1/services/shop/db/restart", nil, "", 0, api.CodeNotFound},
		{"remove a service that is not there", http.MethodDelete, "/v1/stacks/shop?service=db", nil, "", 0, api.CodeNotFound},
		{"remove", http.MethodDelete, "/v1/stacks/shop?service=web", nil, "removed", 3, ""},
		{"remove a stack that is not there", http.MethodDelete, "/v1/stacks/other", nil, "", 0, api.CodeNotFound},
	} {
		got, err := do(tc.method, tc.path, tc.in)
		wantCode(t, tc.name, err, tc.code)
		if got.Action != tc.action || got.Generation != tc.generation {
			t.Errorf("%s: %+v, want %s of generation %d", tc.name, got, tc.action, tc.generation)
		}
	}
	detail := get[api.ServiceDetail](n2, web)
	if g := get[[]api.Generation](n2, web+"/history")[0]; g.Author != "ann" || g.Message != "it is slow" {
		t.Errorf("the restart is noted as by %q, %q", g.Author, g.Message)
	}
	if !detail.Removing || detail.Spec.Replicas != 5 || len(detail.Ports) != 1 || detail.Ports[0] != "80->80/tcp" {
		t.Errorf("the service: %+v", detail)
	}
}
