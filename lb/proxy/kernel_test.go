package proxy

import (
	"net/netip"
	"testing"

	"github.com/musterhq/muster/lb"
)

func TestKernelTookItsShareOfWhatComesFromElsewhere(t *testing.T) {
	port := lb.Port{Protocol: lb.TCP, Number: 80}
	k := Kernel{Ports: map[lb.Port]bool{port: true}, Passing: []netip.Prefix{netip.MustParsePrefix("10.192.0.0/11")}}
	for _, test := range []struct {
		port   uint16
		client string
		want   bool
	}{
		{80, "192.0.2.9", true},
		{80, "::ffff:192.0.2.9", true},
		{80, "127.0.0.1", false},   // the host itself
		{80, "192.0.2.1", false},   // from its own address
		{80, "10.194.0.2", false},  // a container
		{80, "2001:db8::9", false}, // the kernel takes IPv4 alone
		{8080, "192.0.2.9", false}, // another port
	} {
		p := lb.Port{Protocol: lb.TCP, Number: test.port}
		if got := k.took(p, netip.MustParseAddr(test.client), netip.MustParseAddr("192.0.2.1")); got != test.want {
			t.Errorf("%s at port %d: %v", test.client, test.port, got)
		}
	}
}

func TestConnectionsOfThisHostReachAllTasks(t *testing.T) {
	p, port := start(t, Config{NodeID: "N1"}), freePort(t)
	p.Set(table(1, port, backend(1, serve(t, say("mine"))), backend(2, serve(t, say("another's")))))
	p.SetKernel(Kernel{Ports: map[lb.Port]bool{{Protocol: lb.TCP, Number: port}: true}})
	got := map[string]int{}
	for range 10 {
		word, err := ask(t, port)
		if err != nil {
			t.Fatal(err)
		}
		got[word]++
	}
	if got["mine"] != 5 || got["another's"] != 5 {
		t.Errorf("connections from this host went to %v", got)
	}
}
