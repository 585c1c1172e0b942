package cluster

import (
	"strings"
	"testing"
	"time"
)

func TestInvalidProbe(t *testing.T) {
	tcp := &TCPProbe{Port: 80}
	for name, tc := range map[string]struct {
		probe   Probe
		network string
		field   string
	}{
		"nothing":             {Probe{}, "", "p"},
		"two things":          {Probe{TCP: tcp, HTTP: &HTTPProbe{Port: 80}}, "", "p"},
		"no port":             {Probe{TCP: &TCPProbe{}}, "", "p.tcp.port"},
		"no gRPC port":        {Probe{GRPC: &GRPCProbe{}}, "", "p.grpc.port"},
		"relative path":       {Probe{HTTP: &HTTPProbe{Port: 80, Path: "healthz"}}, "", "p.http.path"},
		"path of two lines":   {Probe{HTTP: &HTTPProbe{Port: 80, Path: "/ HTTP/1.1\r\nHost: b"}}, "", "p.http.path"},
		"path with fragment":  {Probe{HTTP: &HTTPProbe{Port: 80, Path: "/#a"}}, "", "p.http.path"},
		"long path":           {Probe{HTTP: &HTTPProbe{Port: 80, Path: "/" + strings.Repeat("a", MaxProbePath)}}, "", "p.http.path"},
		"status of no answer": {Probe{HTTP: &HTTPProbe{Port: 80, Status: 100}}, "", "p.http.status"},
		"long service":        {Probe{GRPC: &GRPCProbe{Port: 80, Service: strings.Repeat("a", MaxProbePath+1)}}, "", "p.grpc.service"},
		"exec with NUL":       {Probe{Exec: []string{strings.Repeat("a", MaxArgument+1)}}, "", "p.exec[0]"},
		"no pause":            {Probe{TCP: tcp, Interval: time.Millisecond}, "", "p.interval"},
		"negative":            {Probe{TCP: tcp, Interval: -time.Second}, "", "p.interval"},
		"no patience":         {Probe{TCP: tcp, Timeout: time.Millisecond}, "", "p.timeout"},
		"hours to start":      {Probe{TCP: tcp, StartPeriod: 2 * time.Hour}, "", "p.start_period"},
		"negative start":      {Probe{TCP: tcp, StartPeriod: -time.Second}, "", "p.start_period"},
		"negative threshold":  {Probe{TCP: tcp, Threshold: -1}, "", "p.threshold"},
		"no network":          {Probe{TCP: tcp}, "none", "p.tcp"},
	} {
		t.Run(name, func(t *testing.T) { checkField(t, tc.probe.Validate("p", tc.network), tc.field) })
	}
}

func TestValidProbe(t *testing.T) {
	for name, tc := range map[string]struct {
		probe   *Probe
		network string
	}{
		"none":                        {nil, ""},
		"http":                        {&Probe{HTTP: &HTTPProbe{Port: 80, Path: "/a%20b?c=d", Status: 204}}, "host"},
		"a command without a network": {&Probe{Exec: []string{"/check"}}, "none"},
		"all times":                   {&Probe{TCP: &TCPProbe{Port: 1}, Interval: time.Second, Timeout: time.Hour, StartPeriod: 1, Threshold: 100}, ""},
	} {
		if err := tc.probe.Validate("p", tc.network); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChecked(t *testing.T) {
	for name, tc := range map[string]struct {
		spec ContainerSpec
		want bool
	}{
		"nothing":            {ContainerSpec{}, false},
		"the engine's":       {ContainerSpec{Healthcheck: &Healthcheck{Test: []string{"CMD", "x"}}}, true},
		"the image's, timed": {ContainerSpec{Healthcheck: &Healthcheck{Retries: 1}}, true},
		"switched off":       {ContainerSpec{Healthcheck: &Healthcheck{Test: []string{"NONE"}}}, false},
		"ours":               {ContainerSpec{Probe: &Probe{}, Healthcheck: &Healthcheck{Test: []string{"NONE"}}}, true},
	} {
		if got := tc.spec.Checked(); got != tc.want {
			t.Errorf("%s: checked %v, want %v", name, got, tc.want)
		}
	}
}
