package worker

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

func TestSetNewer(t *testing.T) {
	for _, tc := range []struct {
		s, than Set
		want    bool
	}{
		{Set{Epoch: 1, Index: 2}, Set{Epoch: 1, Index: 1}, true},
		{Set{Epoch: 1, Index: 1}, Set{Epoch: 1, Index: 1}, false},
		{Set{Epoch: 1, Index: 9}, Set{Epoch: 2, Index: 1}, false},
		{Set{Epoch: 2, Index: 1}, Set{Epoch: 1, Index: 9}, true},
	} {
		if got := tc.s.Newer(tc.than); got != tc.want {
			t.Errorf("(%d, %d) newer than (%d, %d) = %v", tc.s.Epoch, tc.s.Index, tc.than.Epoch, tc.than.Index, got)
		}
	}
}

func TestNextSet(t *testing.T) {
	known := []cluster.ServiceID{}
	disk := Set{Epoch: 1, Index: 2, Assignments: []Assignment{assign("t1", observed(cluster.Observed{Final: true}))}}
	fed := Set{Epoch: 1, Index: 2, Assignments: []Assignment{assign("t1")}, Services: known}
	completed := disk
	completed.Services = known
	for name, tc := range map[string]struct {
		s, got, want Set
		news         bool
	}{
		"a newer one is taken as it is":              {fed, Set{Epoch: 1, Index: 3}, Set{Epoch: 1, Index: 3}, true},
		"an older one is not taken":                  {fed, Set{Epoch: 1, Index: 1, Services: known}, fed, false},
		"what is on disk is told which services are": {disk, fed, completed, true},
		"once only": {completed, fed, completed, false},
		"a voter that does not know says nothing": {disk, Set{Epoch: 1, Index: 2}, disk, false},
	} {
		next, news := tc.s.Next(tc.got)
		if diff := cmp.Diff(tc.want, next); diff != "" || news != tc.news {
			t.Errorf("%s: news %v, want %v: %s", name, news, tc.news, diff)
		}
	}
}

func TestRequest(t *testing.T) {
	a := assign("01ARZ3NDEKTSV4RRFFQ69G5FAV", func(a *Assignment) {
		a.Template.Ports = []cluster.Port{
			{Target: 80, Published: 8080, Protocol: "tcp", Mode: cluster.Ingress},
			{Target: 80, Published: 8081, Protocol: "tcp", Mode: cluster.Ingress},
			{Target: 80, Published: 80, Protocol: "tcp", Mode: cluster.HostPort, HostIP: "127.0.0.1"},
		}
	})
	got := Request(Host{ClusterID: "c1", NodeID: "n1", NodeName: "alpha"}, &a, nil)
	want := runtime.Create{
		Name: "muster-shop-web-1-01arz3ndektsv4rrffq69g5fav",
		Labels: map[string]string{
			"muster.cluster": "c1", "muster.stack": "shop", "muster.service": "web", "muster.slot": "1",
			"muster.task": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "muster.generation": "1",
		},
		Spec: a.Template.Container,
		Networks: []runtime.Network{{
			Name: "muster-shop", Labels: map[string]string{"muster.cluster": "c1", "muster.stack": "shop"}, Aliases: []string{"web"},
		}},
		Publish: []runtime.Publish{{Target: 80, Protocol: "tcp"}, {Target: 80, Host: 80, HostIP: "127.0.0.1", Protocol: "tcp"}},
		Env: map[string]string{
			"MUSTER_NODE_NAME": "alpha", "MUSTER_NODE_ID": "n1", "MUSTER_STACK": "shop", "MUSTER_SERVICE": "web",
			"MUSTER_SLOT": "1", "MUSTER_TASK": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
		},
		VolumeLabels: map[string]string{"muster.cluster": "c1", "muster.stack": "shop"},
		VolumePrefix: "shop_",
	}
	if diff := cmp.Diff(want, got, byValue); diff != "" {
		t.Error(diff)
	}
	a.Template.Container.NetworkMode = "host"
	if got := Request(Host{}, &a, nil); got.Networks != nil || got.Publish != nil || got.DNS != nil {
		t.Errorf("host networking: %+v, want no network of ours", got)
	}
}
