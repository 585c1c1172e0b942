package virtual

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/agent/peer"
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/security"
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

// A hundred requests at once, through every member, with one token for seven:
// seven get in, and nobody gets in by saying the same again, whoever leads.
func TestHundredRequestsRaceForAToken(t *testing.T) {
	bubble(t, 3, func(r *ring) {
		r.form()
		const uses = 7
		token := r.leader().token(api.CreateToken{Uses: uses})
		den := r.net.Host("10.0.0.66").Process()
		r.Cleanup(den.Kill)
		requests := make([]api.NodeJoin, 100)
		for i := range requests {
			requests[i] = r.stranger(i, token)
		}
		race := func() []error {
			var racing sync.WaitGroup
			errs := make([]error, len(requests))
			for i, in := range requests {
				racing.Go(func() { errs[i] = r.hosts[i%len(r.hosts)].admits(den.Dial, in) })
			}
			racing.Wait()
			return errs
		}
		first := race()
		var in int
		for i, err := range first {
			switch {
			case err == nil:
				in++
			case code(err) != "forbidden" && code(err) != "not_found":
				r.Errorf("request %d was refused with %v", i, err)
			}
		}
		if in != uses {
			r.Fatalf("%d got in, not %d", in, uses)
		}
		old := r.leader()
		kill(old)
		r.until(20*time.Second, func() string {
			if len(r.leaders(r.up()...)) != 1 {
				return "nobody leads"
			}
			return ""
		})
		boot(old)
		r.until(20*time.Second, r.ready(r.hosts...))
		for i, err := range race() {
			if err == nil {
				r.Errorf("request %d, which was answered with %v, got somebody in when it was sent again", i, first[i])
			}
		}
		if nodes, err := r.well().nodes(); err != nil || len(nodes) != 3+uses {
			r.Errorf("%d nodes, %v", len(nodes), err)
		}
	})
}

// stranger is a request of a host that is none.
func (r *ring) stranger(i int, token string) api.NodeJoin {
	r.Helper()
	key, err := security.NewIdentityKey()
	if err != nil {
		r.Fatal(err)
	}
	csr, err := security.CSR(key)
	if err != nil {
		r.Fatal(err)
	}
	return api.NodeJoin{Token: token, CSR: csr, Node: cluster.Node{
		ID: cluster.NodeID(ulid.Make().String()), Name: fmt.Sprintf("s%d", i), Address: fmt.Sprintf("10.0.1.%d", i+1), APIPort: 7070, GossipPort: 7071,
		Capacity: cluster.Resources{MilliCPU: 1000, Memory: 1 << 30},
	}}
}

// admits sends a request to join to a host; it is nil when the host agrees.
func (h *host) admits(dial peer.Dialer, in api.NodeJoin) error {
	tok, err := security.ParseToken(in.Token)
	if err != nil {
		return err
	}
	tr := &http.Transport{
		DialContext: dial, TLSClientConfig: security.JoinTLS(tok.CAHash, tok.ClusterID, security.VerifyOptions{}),
		ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, DisableKeepAlives: true,
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	ctx, cancel := soon()
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+net.JoinHostPort(h.ip, "7070")+"/v1/node/join", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode < 300 {
		return nil
	}
	var e api.ErrorBody
	if err := json.NewDecoder(resp.Body).Decode(&e); err != nil || e.Error == nil {
		return fmt.Errorf("HTTP %s: %w", resp.Status, errOr(err))
	}
	return e.Error
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
