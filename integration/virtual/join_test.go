package virtual

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/api"
)

func TestJoinIsRefused(t *testing.T) {
	bubble(t, 4, func(r *ring) {
		a, b, joiner, dead := r.host(1), r.host(2), r.host(3), r.host(4)
		good, foreign := a.init(), b.init()
		kill(dead)
		once := a.token(api.CreateToken{Uses: 1})
		short := a.token(api.CreateToken{TTL: "1m"})
		revoked := a.newToken(api.CreateToken{})
		if _, err := send[struct{}](a, http.MethodDelete, "/v1/tokens/"+revoked.ID, nil); err != nil {
			r.Fatal(err)
		}
		r.pause(2 * time.Minute)
		for _, c := range []struct {
			name, token, code, says string
			via                     *host
			within                  time.Duration
		}{
			{"no token", "hello", "invalid", "", a, time.Second},
			{"a token with another secret", good[:len(good)-4] + "AAAA", "", "", a, time.Second},
			{"an expired token", short, "forbidden", "expired", a, time.Second},
			{"a revoked token", revoked.Secret, "forbidden", "revoked", a, time.Second},
			{"a token of another cluster", foreign, "forbidden", "", a, time.Second},
			{"a dead address", good, "unavailable", "10.0.0.4", dead, 7 * time.Second},
			{"a host that is in no cluster", good, "unavailable", "10.0.0.3", joiner, time.Second},
		} {
			start := time.Now()
			err := joiner.join(c.via, c.token)
			if err == nil || c.code != "" && code(err) != c.code || !strings.Contains(err.Error(), c.says) {
				r.Errorf("join with %s: %s: %v", c.name, code(err), err)
			}
			if took := time.Since(start); took > c.within {
				r.Errorf("join with %s was refused after %s", c.name, took)
			}
			if l, err := joiner.local(); err != nil || l.Role != "idle" || l.ClusterID != "" {
				r.Errorf("after a join with %s the host is %+v, %v", c.name, l, err)
			}
		}
		if err := joiner.join(a, once); err != nil {
			r.Fatalf("join with a token for one: %v", err)
		}
		if err := joiner.join(a, good); code(err) != "conflict" {
			r.Errorf("a member joins again: %v", err)
		}
		if _, err := send[api.Initialised](joiner, http.MethodPost, "/v1/init", nil); code(err) != "conflict" {
			r.Errorf("a member makes a cluster: %v", err)
		}
		if _, err := send[api.Initialised](a, http.MethodPost, "/v1/init", nil); code(err) != "conflict" {
			r.Errorf("init twice: %v", err)
		}
		boot(dead)
		if err := dead.join(a, once); code(err) != "forbidden" {
			r.Errorf("join with a used-up token: %v", err)
		}
		if err := dead.join(joiner, good); err != nil {
			r.Errorf("join through a worker: %v", err)
		}
		r.until(10*time.Second, r.ready(a, joiner, dead))
	})
}

// A token for five admits five, however many come at once.
func TestJoinersRaceForAToken(t *testing.T) {
	bubble(t, 21, func(r *ring) {
		r.host(1).init()
		token := r.host(1).token(api.CreateToken{Uses: 5})
		var racing sync.WaitGroup
		results := make([]error, 22)
		for i, h := range r.hosts[1:] {
			racing.Go(func() { results[i] = h.join(r.host(1), token) })
		}
		racing.Wait()
		in := []*host{r.host(1)}
		for i, h := range r.hosts[1:] {
			l, err := h.local()
			if err != nil || (l.Role != "idle") != (results[i] == nil) {
				r.Errorf("%s was told %v and is %+v, %v", h.name, results[i], l, err)
			}
			switch {
			case results[i] == nil:
				in = append(in, h)
			case code(results[i]) != "forbidden" && code(results[i]) != "not_found":
				r.Errorf("%s was refused with %v", h.name, results[i])
			}
		}
		if len(in) != 6 {
			r.Fatalf("%d hosts got in, not 5", len(in)-1)
		}
		r.until(30*time.Second, r.ready(in...))
		if nodes, err := r.host(1).nodes(); err != nil || len(nodes) != 6 {
			r.Errorf("nodes %v, %v", nodes, err)
		}
	})
}

// Hosts with the same name do not get in beside each other.
func TestTwoHostsWithOneName(t *testing.T) {
	bubble(t, 2, func(r *ring) {
		token := r.host(1).init()
		r.host(2).name = "n1"
		r.host(2).stop()
		r.host(2).start()
		if err := r.host(2).join(r.host(1), token); code(err) != "conflict" {
			r.Errorf("joined, or %v", err)
		}
		r.host(2).name = "n2"
	})
}
