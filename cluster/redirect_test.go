package cluster

import (
	"strings"
	"testing"
)

func TestRedirectPort(t *testing.T) {
	udp := func(target uint16) Port {
		return Port{Target: target, Published: target, Protocol: "udp", Mode: Ingress}
	}
	tcp := func(target uint16) Port { return Port{Target: target, Published: 1, Protocol: "tcp", Mode: HostPort} }
	for name, c := range map[string]struct {
		has  []Port
		want uint16 // 0: none
	}{
		"the same target":        {[]Port{tcp(81), tcp(80)}, 80},
		"the only one":           {[]Port{udp(53), tcp(81)}, 81},
		"one on two ports":       {[]Port{tcp(81), {Target: 81, Published: 2, Protocol: "tcp", Mode: Ingress}}, 81},
		"several":                {[]Port{tcp(81), tcp(82)}, 0},
		"none of the protocol":   {[]Port{udp(80)}, 0},
		"none at all":            {nil, 0},
		"the same, of two kinds": {[]Port{udp(80), tcp(80)}, 80},
	} {
		tmpl := Template{Ports: c.has}
		got, ok := tmpl.RedirectPort(tcp(80))
		if got.Target != c.want || ok != (c.want != 0) || ok && got.Protocol != "tcp" {
			t.Errorf("%s: got %v, %v", name, got, ok)
		}
	}
}

func TestCannotRedirect(t *testing.T) {
	of := func(id ServiceID, ports ...Port) *Service {
		return &Service{ID: id, Spec: ServiceSpec{Template: Template{Ports: ports}}}
	}
	web := Port{Target: 80, Published: 8080, Protocol: "tcp", Mode: Ingress}
	other := Port{Target: 81, Published: 8081, Protocol: "tcp", Mode: Ingress}
	third := Port{Target: 82, Published: 8082, Protocol: "tcp", Mode: Ingress}
	for name, c := range map[string]struct {
		from, to *Service
		want     string
	}{
		"same port":        {of("s/a", web), of("s/b", other, web), ""},
		"only port":        {of("s/a", web), of("s/b", other), ""},
		"no such port":     {of("s/a", web), of("s/b", other, third), "s/a publishes 8080 for its port 80/tcp, and s/b publishes neither"},
		"nothing":          {of("s/a", web), of("s/b"), "s/b publishes neither"},
		"nothing to":       {of("s/a"), of("s/b", web), "s/a publishes no port"},
		"host ports alone": {of("s/a", Port{Target: 80, Published: 80, Protocol: "tcp", Mode: HostPort}), of("s/b", web), "s/a publishes no port"},
	} {
		if got := CannotRedirect(c.from, c.to); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
