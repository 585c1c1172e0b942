package virtual

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

// ask sends one request to the host's agent over its local socket, as the
// command line does.
func ask[T any](ctx context.Context, h *host, method, path string, in any) (out T, err error) {
	body := []byte(nil)
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return out, err
		}
	}
	if !h.alive {
		return out, fmt.Errorf("host %s is dead", h.name)
	}
	user := h.box.Process()
	defer user.Kill()
	t := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return user.Dial(ctx, "unix", socket) },
	}
	defer t.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, method, "http://muster"+path, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		var e api.ErrorBody
		if json.NewDecoder(resp.Body).Decode(&e) == nil && e.Error != nil {
			return out, e.Error
		}
		return out, errors.New(resp.Status)
	}
	if resp.StatusCode == http.StatusNoContent {
		return out, nil
	}
	return out, json.NewDecoder(resp.Body).Decode(&out)
}

func get[T any](h *host, path string) (T, error) {
	ctx, cancel := soon()
	defer cancel()
	return ask[T](ctx, h, http.MethodGet, path, nil)
}

func send[T any](h *host, method, path string, in any) (T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return ask[T](ctx, h, method, path, in)
}

// code is the API's word for an error.
func code(err error) string {
	var e *api.Error
	if errors.As(err, &e) {
		return string(e.Code)
	}
	if err == nil {
		return "none"
	}
	return err.Error()
}

// init makes a cluster of the host and returns a join token.
func (h *host) init() string {
	h.r.Helper()
	out, err := send[api.Initialised](h, http.MethodPost, "/v1/init", api.Init{})
	if err != nil {
		h.r.Fatalf("init on %s: %v", h.name, err)
	}
	return out.Token.Secret
}

// join joins the host through another.
func (h *host) join(via *host, token string) error {
	_, err := send[api.Joined](h, http.MethodPost, "/v1/join", api.Join{Addresses: []string{via.ip}, Token: token})
	return err
}

// form makes one cluster of all hosts and waits until it is whole.
func (r *ring) form() {
	r.Helper()
	token := r.host(1).init()
	for _, h := range r.hosts[1:] {
		if err := h.join(r.host(1), token); err != nil {
			r.Fatalf("join of %s: %v", h.name, err)
		}
	}
	r.until(30*time.Second, all(r.ready(r.hosts...), r.voters(seats(len(r.hosts)))))
	r.pause(promoted)
}

// promoted is how long a node that is called a voter may take until it votes.
const promoted = 2 * time.Second

// seats is how many voters a cluster of n nodes has.
func seats(n int) int {
	switch {
	case n >= 7:
		return 5
	case n >= 3:
		return 3
	}
	return 1
}

// service is a replicated one that any node can run.
func service(replicas int) cluster.ServiceSpec {
	return cluster.ServiceSpec{
		Mode: cluster.Replicated, Replicas: replicas,
		Template: cluster.Template{
			Container:    cluster.ContainerSpec{Image: cluster.Image{Ref: image}},
			Reservations: cluster.Resources{MilliCPU: 100, Memory: 64 << 20},
		},
	}
}

// deploy deploys the spec as service app/web through a host.
func (h *host) deploy(spec cluster.ServiceSpec) error {
	_, err := send[api.Deployed](h, http.MethodPut, "/v1/stacks/app", api.Deploy{
		Services: []api.NamedSpec{{Name: "web", Spec: spec}}, Request: ulid.Make().String(),
	})
	return err
}

// run deploys through any host that reaches the leader, and waits until all
// tasks run.
func (r *ring) run(spec cluster.ServiceSpec) {
	r.Helper()
	if err := r.well().deploy(spec); err != nil {
		r.Fatalf("deploy: %v", err)
	}
	r.until(30*time.Second, r.running(spec.Replicas))
}

// scale changes the number of replicas of app/web.
func (h *host) scale(replicas int) error {
	_, err := send[api.Deployed](h, http.MethodPost, "/v1/services/app/web/scale", api.Scale{Replicas: replicas, Request: ulid.Make().String()})
	return err
}

// availability sets what the operator allows on another node.
func (h *host) availability(of *host, a cluster.Availability) {
	h.r.Helper()
	if _, err := send[api.NodeDetail](h, http.MethodPost, "/v1/nodes/"+of.name+"/availability", api.SetAvailability{Availability: a}); err != nil {
		h.r.Fatalf("make %s %s: %v", of.name, a, err)
	}
}

// leave takes the host out of its cluster.
func (h *host) leave() error {
	_, err := send[struct{}](h, http.MethodPost, "/v1/leave", api.Leave{})
	return err
}

func (h *host) leaveByForce() error {
	_, err := send[struct{}](h, http.MethodPost, "/v1/leave", api.Leave{Force: true})
	return err
}

// remove makes the cluster forget another node, by force.
func (h *host) remove(other *host) {
	h.r.Helper()
	if _, err := send[struct{}](h, http.MethodDelete, "/v1/nodes/"+url.PathEscape(other.name)+"?force=1", nil); err != nil {
		h.r.Fatalf("remove %s: %v", other.name, err)
	}
}

// newToken makes a join token, token only gives its secret.
func (h *host) newToken(c api.CreateToken) api.NewToken {
	h.r.Helper()
	out, err := send[api.NewToken](h, http.MethodPost, "/v1/tokens", c)
	if err != nil {
		h.r.Fatalf("token create: %v", err)
	}
	return out
}

func (h *host) token(c api.CreateToken) string { return h.newToken(c).Secret }

// local is what the host's agent says of itself.
func (h *host) local() (api.Local, error) { return get[api.Local](h, "/v1/local") }

// id is the node's ID.
func (h *host) id() cluster.NodeID {
	h.r.Helper()
	l, err := h.local()
	if err != nil {
		h.r.Fatalf("ask %s who it is: %v", h.name, err)
	}
	return cluster.NodeID(l.NodeID)
}

func names(hosts []*host) string { return fmt.Sprint(hosts) }

func (h *host) String() string { return h.name }
