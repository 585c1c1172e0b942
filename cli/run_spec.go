package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/compose"
)

// document is a Compose file of one service.
type document struct {
	Services map[string]service        `json:"services"`
	Volumes  map[string]map[string]any `json:"volumes,omitempty"`
}

type service struct {
	Image       string            `json:"image"`
	Command     []string          `json:"command,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`
	Ports       []string          `json:"ports,omitempty"`
	Volumes     []string          `json:"volumes,omitempty"`
	Deploy      deployment        `json:"deploy"`
}

type deployment struct {
	Replicas  int               `json:"replicas"`
	Restart   map[string]string `json:"restart_policy,omitempty"`
	Placement map[string]any    `json:"placement,omitempty"`
	Resources map[string]any    `json:"resources,omitempty"`
}

// runStack describes the service to Compose, so that every value means exactly
// what it means in a file.
func (c *CLI) runStack(ctx context.Context, o runOptions, image string, command []string) (*compose.Stack, error) {
	s := service{
		Image: literal(image), Command: literals(command), Ports: literals(o.ports),
		Environment: map[string]string{}, Deploy: o.deployment(),
	}
	for _, entry := range o.env {
		key, value, ok := strings.Cut(entry, "=")
		if !ok {
			if value, ok = c.Env(key); !ok {
				continue
			}
		}
		s.Environment[literal(key)] = literal(value)
	}
	d := document{Services: map[string]service{}, Volumes: map[string]map[string]any{}}
	for _, v := range o.volumes {
		source, rest, two := strings.Cut(v, ":")
		switch {
		case two && strings.HasPrefix(source, "."):
			abs, err := filepath.Abs(source)
			if err != nil {
				return nil, fmt.Errorf("find the directory %s: %w", source, err)
			}
			v = abs + ":" + rest
		case two && !strings.HasPrefix(source, "/"):
			d.Volumes[literal(source)] = map[string]any{}
		}
		s.Volumes = append(s.Volumes, literal(v))
	}
	d.Services[o.name] = s
	file, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("describe the service: %w", err)
	}
	stack, err := compose.Load(ctx, compose.Options{
		Files: []string{"-"}, Stdin: bytes.NewReader(file), Stack: o.name, Env: map[string]string{}, WorkingDir: "/",
	})
	if err != nil {
		return nil, err
	}
	for _, w := range stack.Warnings {
		c.warnf("%s", w)
	}
	return stack, nil
}

func (o *runOptions) deployment() deployment {
	d := deployment{Replicas: o.replicas}
	if o.once {
		d.Restart = map[string]string{"condition": string(cluster.RestartNever)}
	}
	if len(o.constraints) > 0 {
		d.Placement = map[string]any{"constraints": literals(o.constraints)}
	}
	amount := map[string]string{}
	if o.cpus > 0 {
		amount["cpus"] = strconv.FormatFloat(o.cpus, 'f', -1, 64)
	}
	if o.memory != "" {
		amount["memory"] = literal(o.memory)
	}
	if len(amount) > 0 {
		d.Resources = map[string]any{"limits": amount, "reservations": amount}
	}
	return d
}

// literal keeps Compose from taking a dollar for a variable.
func literal(s string) string { return strings.ReplaceAll(s, "$", "$$") }

func literals(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = literal(s)
	}
	return out
}

// makeName is the last part of an image's name with a random end, valid as a
// name: "nginx-x7k2f".
func makeName(image string) string {
	base := image[strings.LastIndexByte(image, '/')+1:]
	base, _, _ = strings.Cut(base, "@")
	base, _, _ = strings.Cut(base, ":")
	base = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case strings.ContainsRune("-_.", r):
			return '-'
		}
		return -1
	}, strings.ToLower(base))
	base = strings.Trim(base[:min(len(base), 40)], "-")
	if base == "" {
		base = "run"
	}
	return base + "-" + strings.ToLower(rand.Text()[:5])
}
