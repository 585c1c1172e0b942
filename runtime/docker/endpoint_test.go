package docker

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/runtime"
)

func TestAddressesOfThePayload(t *testing.T) {
	for api, want := range map[string]struct {
		config, endpoint string
		priority         int
	}{
		"1.41": {config: "02:42:0a:c2:00:02"},
		"1.44": {endpoint: "02:42:0a:c2:00:02"},
		"1.48": {endpoint: "02:42:0a:c2:00:02", priority: 1},
	} {
		c := request()
		span(&c, nil)
		p := newPayload(&c, surroundings{api: api, networks: refs(&c)})
		first := p.net.EndpointsConfig["muster-shop-front-1"]
		//nolint:staticcheck // the container's own is what engines before 1.44 take
		if p.config.MacAddress != want.config || first.MacAddress != want.endpoint || first.GwPriority != want.priority {
			t.Errorf("API %s: hardware address %q of the container, %q of the endpoint, priority %d, want %+v", api, p.config.MacAddress, first.MacAddress, first.GwPriority, want)
		}
		if len(p.joins) != 1 || p.joins[0].endpoint.IPAMConfig.IPv4Address != "10.194.4.2" || first.IPAMConfig.IPv4Address != "10.194.0.2" {
			t.Errorf("API %s: first %+v, then %+v", api, first.IPAMConfig, p.joins)
		}
		if len(first.Aliases) > 0 {
			t.Errorf("API %s: aliases %q: the engine would answer for remote tasks", api, first.Aliases)
		}
		if diff := cmp.Diff([]string{"10.194.0.1"}, p.host.DNS); diff != "" || len(p.host.DNSOptions) > 0 {
			t.Errorf("API %s: DNS %s, options %q", api, diff, p.host.DNSOptions)
		}
		if got := p.config.Labels[runtime.LabelNetworks]; got != "muster-shop-front-1,muster-shop-back-2" {
			t.Errorf("API %s: networks of the label: %q", api, got)
		}
	}
}

// spanned is an engine where both networks of span are.
func spanned(t *testing.T, rest http.HandlerFunc) *Driver {
	return scriptedEngine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasSuffix(path, "/_ping"):
			w.Header().Set("Api-Version", "1.41")
		case strings.HasSuffix(path, "/networks"):
			c := request()
			span(&c, nil)
			var out []network.Summary
			for _, n := range c.Networks {
				n.Labels = map[string]string{runtime.LabelCluster: "c1"}
				made := newNetwork(&n)
				out = append(out, network.Summary{Name: n.Name, ID: n.Name, Labels: n.Labels, Options: made.Options, IPAM: *made.IPAM})
			}
			_ = json.NewEncoder(w).Encode(out)
		default:
			rest(w, r)
		}
	}))
}

// A container that is not in all of its networks must not be there.
func TestContainerThatCannotJoinIsRemoved(t *testing.T) {
	var removed atomic.Int32
	d := spanned(t, func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case strings.HasSuffix(path, "/containers/create"):
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(container.CreateResponse{ID: "c"})
		case strings.HasSuffix(path, "/connect"):
			http.Error(w, `{"message":"out of luck"}`, http.StatusInternalServerError)
		case r.Method == http.MethodDelete && strings.HasSuffix(path, "/containers/c"):
			removed.Add(1)
			w.WriteHeader(http.StatusNoContent)
		default:
			t.Errorf("%s %s", r.Method, path)
		}
	})
	c := request()
	span(&c, nil)
	c.Spec.Mounts = nil
	_, err := d.Create(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "out of luck") || !strings.Contains(err.Error(), c.Networks[1].Name) {
		t.Errorf("Create = %v, want why the network could not be joined", err)
	}
	if removed.Load() != 1 {
		t.Errorf("the container was removed %d times, want once", removed.Load())
	}
}

// A create that ended between its two calls left a container behind, which is
// found by its name later.
func TestContainerWithoutItsNetworksIsNotStarted(t *testing.T) {
	d := spanned(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		_ = json.NewEncoder(w).Encode(container.InspectResponse{
			ContainerJSONBase: &container.ContainerJSONBase{ID: "c", State: &container.State{Status: "created"}},
			Config:            &container.Config{Labels: map[string]string{runtime.LabelNetworks: "muster-shop-front-1,muster-shop-back-2"}},
			NetworkSettings:   &container.NetworkSettings{Networks: map[string]*network.EndpointSettings{"muster-shop-front-1": {}}},
		})
	})
	err := d.Start(t.Context(), "c")
	if !errors.Is(err, runtime.ErrNotFound) || !strings.Contains(err.Error(), "muster-shop-back-2") {
		t.Errorf("Start = %v, want ErrNotFound for muster-shop-back-2", err)
	}
}
