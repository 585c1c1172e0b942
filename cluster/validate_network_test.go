package cluster

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestNetworksOfATemplate(t *testing.T) {
	many := make([]NetworkLink, MaxNetworkLinks+1)
	for i := range many {
		many[i].Network = NewNetworkID("shop", fmt.Sprint("n", i))
	}
	alias := func(a ...string) []NetworkLink { return []NetworkLink{{Network: "shop/default", Aliases: a}} }
	for name, c := range map[string]struct {
		links []NetworkLink
		mode  string
		field string
	}{
		"some":             {[]NetworkLink{{Network: "shop/default", Aliases: []string{"db", "db.internal", "My_DB"}}, {Network: "other/front_End.1"}}, "", ""},
		"with host":        {alias(), "host", "services.web.networks"},
		"with none":        {alias(), "none", "services.web.networks"},
		"too many":         {many, "", "services.web.networks"},
		"twice":            {append(alias(), alias()...), "", "services.web.networks"},
		"no stack":         {[]NetworkLink{{Network: "default"}}, "", "services.web.networks"},
		"no name":          {[]NetworkLink{{Network: "shop/"}}, "", "services.web.networks"},
		"a name in a name": {[]NetworkLink{{Network: "shop/a/b"}}, "", "services.web.networks"},
		"a strange alias":  {alias("ok", "a b"), "", "services.web.networks.default.aliases[1]"},
		"an empty part":    {alias("a..b"), "", "services.web.networks.default.aliases[0]"},
		"a long part":      {alias(strings.Repeat("a", 64)), "", "services.web.networks.default.aliases[0]"},
		"a long alias":     {alias(strings.Repeat("a.", 130) + "a"), "", "services.web.networks.default.aliases[0]"},
		"many aliases":     {alias(make([]string, MaxAliases+1)...), "", "services.web.networks.default.aliases"},
	} {
		t.Run(name, func(t *testing.T) {
			s := valid()
			s.Template.Networks, s.Template.Container.NetworkMode = c.links, c.mode
			if c.mode != "" {
				s.Template.Ports = nil
			}
			checkField(t, s.Validate("services.web"), c.field)
		})
	}
}

func TestNetworksOfAStack(t *testing.T) {
	in := func(ids ...NetworkID) map[string]ServiceSpec {
		s := valid()
		for _, id := range ids {
			s.Template.Networks = append(s.Template.Networks, NetworkLink{Network: id})
		}
		return map[string]ServiceSpec{"web": s}
	}
	subnet := func(s string) NetworkSpec { return NetworkSpec{Name: "a", Subnet: netip.MustParsePrefix(s)} }
	for name, c := range map[string]struct {
		networks []NetworkSpec
		services map[string]ServiceSpec
		field    string
	}{
		"declared":         {[]NetworkSpec{{Name: "a"}, {Name: "b"}}, in("shop/a", "other/x"), ""},
		"not declared":     {[]NetworkSpec{{Name: "a"}}, in("shop/a", "shop/x"), "services.web.networks"},
		"twice":            {[]NetworkSpec{{Name: "a"}, {Name: "a"}}, nil, "networks.a"},
		"too many":         {make([]NetworkSpec, MaxNetworks+1), nil, "networks"},
		"no name":          {[]NetworkSpec{{Name: ""}}, nil, "networks"},
		"a slash":          {[]NetworkSpec{{Name: "a/b"}}, nil, "networks.a/b"},
		"a subnet":         {[]NetworkSpec{subnet("172.28.0.0/16")}, nil, ""},
		"a small one":      {[]NetworkSpec{subnet("172.28.0.0/28")}, nil, ""},
		"too small":        {[]NetworkSpec{subnet("172.28.0.0/29")}, nil, "networks.a.ipam.config.subnet"},
		"too large":        {[]NetworkSpec{subnet("172.0.0.0/15")}, nil, "networks.a.ipam.config.subnet"},
		"IPv6":             {[]NetworkSpec{subnet("fd00::/24")}, nil, "networks.a.ipam.config.subnet"},
		"within":           {[]NetworkSpec{subnet("172.28.0.1/24")}, nil, "networks.a.ipam.config.subnet"},
		"loopback":         {[]NetworkSpec{subnet("127.1.0.0/24")}, nil, "networks.a.ipam.config.subnet"},
		"the same subnets": {[]NetworkSpec{subnet("172.28.0.0/16"), {Name: "b", Subnet: netip.MustParsePrefix("172.28.3.0/24")}}, nil, "networks.b.ipam.config.subnet"},
	} {
		t.Run(name, func(t *testing.T) {
			checkField(t, ValidateStackNetworks("shop", c.networks, c.services), c.field)
		})
	}
}

func TestAddressesOfANetwork(t *testing.T) {
	n := Network{Subnet: netip.MustParsePrefix("10.1.2.16/28")}
	if n.Gateway().String() != "10.1.2.17" || n.First().String() != "10.1.2.18" || n.End().String() != "10.1.2.31" || n.Size() != 13 {
		t.Errorf("%s %s %s %d", n.Gateway(), n.First(), n.End(), n.Size())
	}
	if LastOf(netip.MustParsePrefix("0.0.0.0/0")).String() != "255.255.255.255" {
		t.Error("the last address of all")
	}
}
