package runtimetest

import (
	"testing"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// testDevices gives a container a device that the others have not.
func testDevices(t *testing.T, b *bench) {
	const path = "/dev/kmsg" // on every Linux host, and in no container
	has := func(id string) bool {
		code, err := b.Exec(t.Context(), id, runtime.Exec{Cmd: []string{"/testprogram", "stat", path}})
		want(t, "Exec", err, nil)
		return code == 0
	}
	if has(b.start(t, b.request("serve"))) {
		t.Errorf("a container that was given no device has %s", path)
	}
	request := b.request("serve")
	request.Devices = []runtime.Device{{HostDevice: cluster.HostDevice{Kind: "log", ID: "log-1"}, Paths: []string{path}}}
	if !has(b.start(t, request)) {
		t.Errorf("the container has no %s", path)
	}

	request = b.request("serve")
	request.Devices = []runtime.Device{{HostDevice: cluster.HostDevice{Kind: "log", ID: "gone"}}}
	_, err := b.Create(t.Context(), request)
	want(t, "Create with a device that is gone", err, runtime.ErrRefused)
}
