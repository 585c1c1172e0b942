package compose

const (
	noSecrets = "secrets are not delivered to containers yet"
	noConfigs = "configs are not delivered to containers yet"
	noModels  = "models are not provided"
)

// topFields are the fields of the file itself and of its networks and volumes.
var topFields = []field{
	{path: "name", verdict: honoured, note: "the stack's name, unless the command line gives one"},
	{path: "version", verdict: warned, note: "is obsolete and has no effect"},
	{path: "include", verdict: honoured},
	{path: "services", verdict: group},
	{path: "services.*", verdict: group},

	{path: "networks", verdict: group},
	{path: "networks.*", verdict: group, note: "one subnet across all hosts, where a service is in it; services that name none are in `default`"},
	{path: "networks.*.external", verdict: honoured, note: "a network of another stack, which has `x-muster.shared: true` on it; deploy that stack first"},
	{path: "networks.*.name", verdict: honoured, note: "for external networks: `STACK_NETWORK`, as docker compose names them; a warning for others, whose names Muster makes of stack and network"},
	{path: "networks.*.driver", verdict: warned, note: "has no effect: Muster chooses the driver", same: []string{"bridge", "overlay", "default"}},
	{path: "networks.*.driver_opts", verdict: warned, note: "has no effect"},
	{path: "networks.*.ipam", verdict: group},
	{path: "networks.*.ipam.driver", verdict: warned, note: "has no effect: Muster assigns the addresses", same: []string{"default"}},
	{path: "networks.*.ipam.config", verdict: group},
	{path: "networks.*.ipam.config.[]", verdict: group},
	{path: "networks.*.ipam.config.[].subnet", verdict: honoured, note: "a /16 to a /28 that nothing else has; without one, a /22 of the cluster's pool (`muster settings`)"},
	{path: "networks.*.ipam.config.[].gateway", verdict: warned, note: "has no effect: the gateway has the first address of the subnet"},
	{path: "networks.*.ipam.config.[].ip_range", verdict: warned, note: "has no effect: Muster assigns the addresses"},
	{path: "networks.*.ipam.config.[].aux_addresses", verdict: warned, note: "has no effect: Muster assigns the addresses"},
	{path: "networks.*.ipam.options", verdict: warned, note: "has no effect"},
	{path: "networks.*.internal", verdict: honoured, note: "its containers reach nothing outside by it"},
	{path: "networks.*.attachable", verdict: warned, note: "has no effect"},
	{path: "networks.*.enable_ipv4", verdict: warned, note: "has no effect: networks have IPv4", same: []string{"true"}},
	{path: "networks.*.enable_ipv6", verdict: warned, note: "has no effect: networks have IPv4 only", same: []string{"false"}},
	{path: "networks.*.labels", verdict: warned, note: "has no effect"},
	{path: "networks.*.x-muster", verdict: group},
	{path: "networks.*.x-muster.shared", verdict: honoured, note: "`true`: services of other stacks may be in it, with `external`"},
	{path: "networks.*.x-muster.network", verdict: honoured, note: "with `external`: which one, as `STACK/NETWORK`"},

	{path: "volumes", verdict: group},
	{path: "volumes.*", verdict: group},
	{path: "volumes.*.name", verdict: honoured, note: "for external volumes; a warning for others, whose names Muster makes of stack and volume"},
	{path: "volumes.*.external", verdict: honoured, note: "the volume must exist on every node that may run the service"},
	{path: "volumes.*.labels", verdict: honoured},
	{path: "volumes.*.driver", verdict: refused, note: "is a driver other than local, which is the only one supported", hint: "remove it", same: []string{"local"}},
	{
		path: "volumes.*.driver_opts", verdict: refused, note: "is not passed to the driver, so the data would land elsewhere",
		hint: "mount the file system on the nodes and bind it, or use an external volume",
	},

	{path: "secrets", verdict: warned, note: noSecrets},
	{path: "configs", verdict: warned, note: noConfigs},
	{path: "models", verdict: warned, note: noModels},
	{path: "jobs", verdict: refused, note: "jobs are not run yet", hint: "remove them"},
	{path: "x-muster", verdict: group},
}
