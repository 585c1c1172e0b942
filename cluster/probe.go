package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Probe is a health check that the task's own node makes, at the task's own
// address and nowhere else. Exactly one of HTTP, TCP, GRPC and Exec is set.
type Probe struct {
	HTTP *HTTPProbe `cbor:"1,keyasint,omitempty" json:"http,omitempty" since:"3"`
	TCP  *TCPProbe  `cbor:"2,keyasint,omitempty" json:"tcp,omitempty" since:"3"`
	GRPC *GRPCProbe `cbor:"3,keyasint,omitempty" json:"grpc,omitempty" since:"3"`
	// Exec is run in the container, and passes with exit code 0.
	Exec []string `cbor:"4,keyasint,omitempty" json:"exec,omitempty" since:"3"`

	Interval time.Duration `cbor:"5,keyasint,omitempty" json:"interval,omitempty" since:"3"` // 0: DefaultProbeInterval
	Timeout  time.Duration `cbor:"6,keyasint,omitempty" json:"timeout,omitempty" since:"3"`  // 0: DefaultProbeTimeout
	// StartPeriod is how long after the container's start failures do not count,
	// unless a check has passed before; never less than the interval.
	StartPeriod time.Duration `cbor:"7,keyasint,omitempty" json:"start_period,omitempty" since:"3"`
	// Threshold is how many failures in a row make the task unhealthy; 0: DefaultThreshold.
	Threshold int `cbor:"8,keyasint,omitempty" json:"threshold,omitempty" since:"3"`
}

// HTTPProbe is a GET, over plain HTTP/1.1.
type HTTPProbe struct {
	Port   uint16 `cbor:"1,keyasint" json:"port,omitempty" since:"3"`
	Path   string `cbor:"2,keyasint,omitempty" json:"path,omitempty" since:"3"`   // "": "/"
	Status int    `cbor:"3,keyasint,omitempty" json:"status,omitempty" since:"3"` // 0: any of 200 to 399
}

// TCPProbe is a connection that is taken.
type TCPProbe struct {
	Port uint16 `cbor:"1,keyasint" json:"port,omitempty" since:"3"`
}

// GRPCProbe is a call of grpc.health.v1.Health/Check, without TLS.
type GRPCProbe struct {
	Port    uint16 `cbor:"1,keyasint" json:"port,omitempty" since:"3"`
	Service string `cbor:"2,keyasint,omitempty" json:"service,omitempty" since:"3"` // "": the server as a whole
}

// Defaults and bounds of a Probe.
const (
	DefaultProbeInterval = 10 * time.Second
	DefaultProbeTimeout  = 5 * time.Second
	DefaultThreshold     = 3
	// MinProbeTime keeps checks from being a load of their own.
	MinProbeTime = 100 * time.Millisecond
	MaxProbeTime = time.Hour
	MaxThreshold = 100
	// MaxProbePath is the longest path or name that a check asks for, in bytes.
	MaxProbePath = 1024
)

// Every is the pause between two checks.
func (p *Probe) Every() time.Duration {
	if p.Interval > 0 {
		return p.Interval
	}
	return DefaultProbeInterval
}

// Patience is how long a check may take.
func (p *Probe) Patience() time.Duration {
	if p.Timeout > 0 {
		return p.Timeout
	}
	return DefaultProbeTimeout
}

// Failures is how many in a row make the task unhealthy.
func (p *Probe) Failures() int {
	if p.Threshold > 0 {
		return p.Threshold
	}
	return DefaultThreshold
}

// Grace is how long after the container's start failures do not count.
func (p *Probe) Grace() time.Duration { return max(p.StartPeriod, p.Every()) }

// Checked reports whether something vouches for the container beyond that it runs.
func (c *ContainerSpec) Checked() bool {
	return c.Probe != nil || c.Healthcheck != nil && !slices.Equal(c.Healthcheck.Test, []string{"NONE"})
}

// Validate reports the first rule that p breaks as a *FieldError; field is the
// place of p, and network the container's mode. No probe is valid.
func (p *Probe) Validate(field, network string) error {
	if p == nil {
		return nil
	}
	kinds := p.kinds()
	const hint = "use one of http, tcp, grpc and exec, such as http: {port: 8080, path: /healthz}"
	switch {
	case len(kinds) == 0:
		return Invalid(field, "does not say what to check", hint)
	case len(kinds) > 1:
		return Invalid(field, "has "+strings.Join(kinds, " and "), hint)
	case network == "none" && p.Exec == nil:
		return Invalid(at(field, kinds[0]), "reaches nothing: the container has no network", "use exec, or remove network_mode: none")
	}
	return first(p.HTTP.validate(at(field, "http")), p.TCP.validate(at(field, "tcp")), p.GRPC.validate(at(field, "grpc")),
		validateArgs(at(field, "exec"), p.Exec), p.validateTimes(field))
}

// kinds are the words of what p checks.
func (p *Probe) kinds() []string {
	var out []string
	for _, k := range []struct {
		name string
		set  bool
	}{{"http", p.HTTP != nil}, {"tcp", p.TCP != nil}, {"grpc", p.GRPC != nil}, {"exec", len(p.Exec) > 0}} {
		if k.set {
			out = append(out, k.name)
		}
	}
	return out
}

func (p *Probe) validateTimes(field string) error {
	for _, d := range []struct {
		name  string
		value time.Duration
		least time.Duration
	}{{"interval", p.Interval, MinProbeTime}, {"timeout", p.Timeout, MinProbeTime}, {"start_period", p.StartPeriod, 0}} {
		where := at(field, d.name)
		switch {
		case d.value == 0:
		case d.value < d.least:
			return Invalid(where, fmt.Sprintf("%s is less than %s", d.value, d.least), "give a time such as 10s")
		case d.value > MaxProbeTime:
			return Invalid(where, fmt.Sprintf("%s is more than an hour", d.value), "give a time such as 10s")
		}
		if err := validateDuration(where, d.value); err != nil {
			return err
		}
	}
	return validateCount(at(field, "threshold"), p.Threshold, MaxThreshold, "give a number such as 3")
}

func (h *HTTPProbe) validate(field string) error {
	if h == nil {
		return nil
	}
	switch {
	case h.Path != "" && (h.Path[0] != '/' || len(h.Path) > MaxProbePath || strings.ContainsFunc(h.Path, unprintable) || strings.ContainsAny(h.Path, " #")):
		return Invalid(at(field, "path"), fmt.Sprintf("%q is not a path", clip(h.Path)), "write it as /healthz, with what is not ASCII escaped")
	case h.Status != 0 && (h.Status < 200 || h.Status > 599):
		return Invalid(at(field, "status"), fmt.Sprintf("%d is not between 200 and 599", h.Status), "leave it out for any of 200 to 399")
	}
	return validateProbePort(field, h.Port)
}

func (t *TCPProbe) validate(field string) error {
	if t == nil {
		return nil
	}
	return validateProbePort(field, t.Port)
}

func (g *GRPCProbe) validate(field string) error {
	switch {
	case g == nil:
		return nil
	case len(g.Service) > MaxProbePath:
		return Invalid(at(field, "service"), fmt.Sprintf("has %d bytes, at most %d are allowed", len(g.Service), MaxProbePath), "")
	}
	return validateProbePort(field, g.Port)
}

func validateProbePort(field string, port uint16) error {
	if port == 0 {
		return Invalid(at(field, "port"), "is missing", "name the port that the program listens on in the container")
	}
	return nil
}
