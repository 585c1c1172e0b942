//go:build linux

package networks

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/musterhq/muster/integration/fleet"
	"github.com/musterhq/muster/integration/fleet/fleettest"
)

// TestExampleStack brings up the example of four services across the hosts: orders
// are taken through every host and carried out, and only the API reaches the store.
func TestExampleStack(t *testing.T) {
	c := ring.Cluster(t)
	c.Must(c.Lab.LoadShop(t.Context(), c.Hosts...))
	c.Run(c.Hosts[0], "deploy", "-f", "../../configs/examples/shop.yaml")
	for _, h := range c.Hosts {
		url := fmt.Sprintf("http://%s:8090/", h.Addr)
		answer, err := http.Post(url, "", nil)
		c.Must(err)
		if answer.Body.Close(); answer.StatusCode != http.StatusOK {
			t.Errorf("an order through %s: %s", h.Name, answer.Status)
		}
	}
	c.Within(fleettest.Soon, "three orders that are carried out", func(ctx context.Context) error {
		_, page, err := c.Lab.Get(ctx, fmt.Sprintf("http://%s:8090/", c.Hosts[1].Addr))
		if err == nil && !strings.HasPrefix(page, "orders=3 done=3 ") {
			err = fmt.Errorf("the page is %q", page)
		}
		return err
	})
	web, err := fleet.AwaitRunning(t.Context(), "orders/web", 3, c.Hosts...)
	c.Must(err)
	for name, found := range map[string]bool{"api": true, "store": false, "store.orders": false} {
		r := web[0].Host.CLI(t.Context(), "exec", web[0].Labels["muster.task"], "/shop", "lookup", name)
		if (r.ExitCode == 0) != found {
			t.Errorf("the front page looks for %s: exit code %d, %s%s", name, r.ExitCode, r.Stdout, r.Stderr)
		}
	}
}
