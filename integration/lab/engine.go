//go:build linux

package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Container is what an observer wants to know of a container. StartedAt and
// ExitCode are set by Inspect alone.
type Container struct {
	ID, Name, Image string
	Labels          map[string]string
	State           string // created, running, paused, restarting, removing, exited, dead
	Ports           []Port
	StartedAt       time.Time
	ExitCode        int
}

// Port is a container's port and, where it is published, the host's.
type Port struct {
	IP          string
	PrivatePort int
	PublicPort  int
	Type        string // tcp, udp
}

// Containers lists the host's containers, ended ones too, that carry all of the
// labels ("key" or "key=value"). It is one call to the engine.
func (h *Host) Containers(ctx context.Context, labels ...string) ([]Container, error) {
	filters, err := json.Marshal(map[string][]string{"label": labels})
	if err != nil {
		return nil, err
	}
	var answer []struct {
		ID     string `json:"Id"`
		Names  []string
		Image  string
		Labels map[string]string
		State  string
		Ports  []Port
	}
	err = h.ask(ctx, http.MethodGet, "/containers/json?all=1&filters="+url.QueryEscape(string(filters)), nil, &answer)
	if err != nil {
		return nil, fmt.Errorf("list containers on %s: %w", h.Name, err)
	}
	containers := make([]Container, len(answer))
	for i, a := range answer {
		containers[i] = Container{ID: a.ID, Image: a.Image, Labels: a.Labels, State: a.State, Ports: a.Ports}
		if len(a.Names) > 0 {
			containers[i].Name = strings.TrimPrefix(a.Names[0], "/")
		}
	}
	return containers, nil
}

// Inspect looks at one container, by ID or name; its Ports are left out.
func (h *Host) Inspect(ctx context.Context, id string) (Container, error) {
	var a struct {
		ID     string `json:"Id"`
		Name   string
		Config struct {
			Image  string
			Labels map[string]string
		}
		State struct {
			Status    string
			StartedAt time.Time
			ExitCode  int
		}
	}
	if err := h.ask(ctx, http.MethodGet, "/containers/"+id+"/json", nil, &a); err != nil {
		return Container{}, fmt.Errorf("inspect %s on %s: %w", id, h.Name, err)
	}
	return Container{
		ID: a.ID, Name: strings.TrimPrefix(a.Name, "/"), Image: a.Config.Image, Labels: a.Config.Labels,
		State: a.State.Status, StartedAt: a.State.StartedAt, ExitCode: a.State.ExitCode,
	}, nil
}

// DockerAPI makes one call to the host's engine, past everything of Muster's.
// The body is nothing (nil), a tar archive (an io.Reader) or a value to send as
// JSON. An HTTP error status is an answer, not an error.
func (h *Host) DockerAPI(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	return h.dockerAPI(ctx, method, path, body, nil)
}

func (h *Host) dockerAPI(ctx context.Context, method, path string, body any, header http.Header) (status int, answer []byte, err error) {
	var reader io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case io.Reader:
		reader, kind = b, "application/x-tar"
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			return 0, nil, err
		}
		reader = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://engine"+path, reader)
	if err != nil {
		return 0, nil, err
	}
	if header != nil {
		req.Header = header
	}
	if reader != nil {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := h.engine.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// ask makes a call that must succeed and decodes the answer into v, if any.
func (h *Host) ask(ctx context.Context, method, path string, body, v any) error {
	status, answer, err := h.DockerAPI(ctx, method, path, body)
	if err != nil {
		return err
	}
	if status >= http.StatusBadRequest {
		return fmt.Errorf("the engine answered %d: %s", status, bytes.TrimSpace(answer))
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(answer, v)
}

func unixTransport(socket string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		MaxIdleConnsPerHost: 8,
	}
}
