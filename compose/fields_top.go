package compose

const (
	noSecrets = "secrets are not delivered to containers yet"
	noConfigs = "configs are not delivered to containers yet"
	noModels  = "models are not provided"
	oneNet    = "all services of a stack share one network per host, and names do not resolve across hosts yet"
)

// topFields are the fields of the file itself and of its networks and volumes.
var topFields = []field{
	{path: "name", verdict: honoured, note: "the stack's name, unless the command line gives one"},
	{path: "version", verdict: warned, note: "is obsolete and has no effect"},
	{path: "include", verdict: honoured},
	{path: "services", verdict: group},
	{path: "services.*", verdict: group},

	{path: "networks", verdict: group},
	{path: "networks.*", verdict: warned, note: "is not a network of its own: " + oneNet},
	{
		path: "networks.*.external", verdict: refused, note: "is a network that Muster does not own, so the services could not reach what they expect there",
		hint: "remove it and publish the ports that other stacks need", same: []string{"false"},
	},
	{path: "networks.*.name", verdict: warned, note: "has no effect: Muster names its networks itself"},
	{path: "networks.*.driver", verdict: warned, note: "has no effect: Muster chooses the driver", same: []string{"bridge", "overlay"}},
	{path: "networks.*.driver_opts", verdict: warned, note: "has no effect"},
	{path: "networks.*.ipam", verdict: warned, note: "has no effect: Muster assigns the addresses"},
	{path: "networks.*.internal", verdict: warned, note: "has no effect: containers reach the world outside", same: []string{"false"}},
	{path: "networks.*.attachable", verdict: warned, note: "has no effect"},
	{path: "networks.*.enable_ipv4", verdict: warned, note: "has no effect: networks have IPv4", same: []string{"true"}},
	{path: "networks.*.enable_ipv6", verdict: warned, note: "has no effect: networks have IPv4 only", same: []string{"false"}},
	{path: "networks.*.labels", verdict: warned, note: "has no effect"},

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
