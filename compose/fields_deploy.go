package compose

const (
	noRollback = "has no effect: an update is not rolled back by itself yet"
	noBuild    = "has no effect on the build"
)

// storageFields are the mounts of a service.
var storageFields = []field{
	{path: "services.*.volumes", verdict: group},
	{path: "services.*.volumes.[]", verdict: group, note: "short and long form"},
	{path: "services.*.volumes.[].type", verdict: honoured, note: "`bind`, `volume` and `tmpfs`; others are refused"},
	{path: "services.*.volumes.[].source", verdict: honoured, note: "a bind exists only on the node where the task runs, with a warning; a volume is local to its node"},
	{path: "services.*.volumes.[].target", verdict: honoured},
	{path: "services.*.volumes.[].read_only", verdict: honoured},
	{path: "services.*.volumes.[].consistency", verdict: warned, note: linuxOnly},
	{path: "services.*.volumes.[].bind", verdict: group},
	{path: "services.*.volumes.[].bind.create_host_path", verdict: honoured},
	{path: "services.*.volumes.[].bind.propagation", verdict: honoured},
	{path: "services.*.volumes.[].bind.recursive", verdict: warned, note: noEffect, same: []string{"enabled"}},
	{path: "services.*.volumes.[].bind.selinux", verdict: warned, note: "has no effect: the files are not relabelled"},
	{path: "services.*.volumes.[].volume", verdict: group},
	{path: "services.*.volumes.[].volume.nocopy", verdict: honoured},
	{path: "services.*.volumes.[].volume.labels", verdict: honoured},
	{path: "services.*.volumes.[].volume.subpath", verdict: refused, note: "a part of a volume cannot be mounted yet, and the whole would be too much", hint: "use a volume of its own"},
	{path: "services.*.volumes.[].tmpfs", verdict: honoured},
	{path: "services.*.volumes.[].image", verdict: refused, note: "images cannot be mounted yet", hint: "copy the files into the service's image"},
	{path: "services.*.tmpfs", verdict: honoured, note: "with the options `size` and `mode`; a warning for others"},
	{path: "services.*.volumes_from", verdict: refused, note: "the other container may run on another node, and the files would be missing", hint: "use a named volume"},
}

// deployFields are the fields of a service's deploy.
var deployFields = []field{
	{path: "services.*.deploy", verdict: group},
	{path: "services.*.deploy.mode", verdict: honoured, note: "`replicated` and `global`; jobs are refused"},
	{path: "services.*.deploy.replicas", verdict: honoured, note: "0 to 10,000"},
	{path: "services.*.deploy.labels", verdict: warned, note: "has no effect: use labels for the containers"},
	{path: "services.*.deploy.endpoint_mode", verdict: warned, note: "has no effect", same: []string{"vip"}},
	{path: "services.*.deploy.resources", verdict: group},
	{path: "services.*.deploy.resources.limits", verdict: group},
	{path: "services.*.deploy.resources.limits.cpus", verdict: honoured},
	{path: "services.*.deploy.resources.limits.memory", verdict: honoured},
	{path: "services.*.deploy.resources.limits.pids", verdict: honoured},
	{path: "services.*.deploy.resources.reservations", verdict: group},
	{path: "services.*.deploy.resources.reservations.cpus", verdict: honoured, note: "placement never promises more than a node has"},
	{path: "services.*.deploy.resources.reservations.memory", verdict: honoured, note: "placement never promises more than a node has"},
	{path: "services.*.deploy.resources.reservations.devices", verdict: warned, note: "has no effect: GPUs are not handed to containers yet"},
	{path: "services.*.deploy.resources.reservations.generic_resources", verdict: warned, note: "has no effect: use a constraint on a node label"},
	{path: "services.*.deploy.restart_policy", verdict: honoured, note: "condition, delay, max_attempts, window"},
	{path: "services.*.deploy.placement", verdict: group},
	{
		path: "services.*.deploy.placement.constraints", verdict: honoured,
		note: "`KEY==VALUE` and `KEY!=VALUE`; keys are node.id, node.name, node.hostname, node.role, node.platform.os, node.platform.arch, node.labels.NAME, engine.labels.NAME",
	},
	{path: "services.*.deploy.placement.preferences", verdict: honoured, note: "`spread: node.labels.NAME`"},
	{path: "services.*.deploy.placement.max_replicas_per_node", verdict: honoured},
	{path: "services.*.deploy.update_config", verdict: group},
	{path: "services.*.deploy.update_config.order", verdict: honoured, note: "without one: start-first, except where two tasks cannot share a host port or a writable volume"},
	{path: "services.*.deploy.update_config.parallelism", verdict: honoured, note: "1 without one; 0 is all at once"},
	{path: "services.*.deploy.update_config.delay", verdict: honoured},
	{path: "services.*.deploy.update_config.failure_action", verdict: warned, note: noRollback, same: []string{"pause"}},
	{path: "services.*.deploy.update_config.monitor", verdict: warned, note: noEffect},
	{path: "services.*.deploy.update_config.max_failure_ratio", verdict: warned, note: noEffect},
	{path: "services.*.deploy.rollback_config", verdict: warned, note: noRollback},
}

// buildFields are the fields of a service's build.
var buildFields = []field{
	{path: "services.*.build", verdict: group, note: "the image is built before the deploy; without image: it is named STACK-SERVICE"},
	{path: "services.*.build.context", verdict: honoured},
	{path: "services.*.build.dockerfile", verdict: honoured},
	{path: "services.*.build.args", verdict: honoured},
	{path: "services.*.build.target", verdict: honoured},
	{path: "services.*.build.dockerfile_inline", verdict: refused, note: "is not built yet", hint: "write it to a file"},
	{path: "services.*.build.additional_contexts", verdict: warned, note: noBuild},
	{path: "services.*.build.cache_from", verdict: warned, note: noBuild},
	{path: "services.*.build.cache_to", verdict: warned, note: noBuild},
	{path: "services.*.build.entitlements", verdict: warned, note: noBuild},
	{path: "services.*.build.extra_hosts", verdict: warned, note: noBuild},
	{path: "services.*.build.isolation", verdict: warned, note: noBuild},
	{path: "services.*.build.labels", verdict: warned, note: noBuild},
	{path: "services.*.build.network", verdict: warned, note: noBuild},
	{path: "services.*.build.no_cache", verdict: warned, note: noBuild, same: []string{"false"}},
	{path: "services.*.build.no_cache_filter", verdict: warned, note: noBuild},
	{path: "services.*.build.platforms", verdict: warned, note: noBuild},
	{path: "services.*.build.privileged", verdict: warned, note: noBuild, same: []string{"false"}},
	{path: "services.*.build.provenance", verdict: warned, note: noBuild},
	{path: "services.*.build.pull", verdict: warned, note: noBuild, same: []string{"false"}},
	{path: "services.*.build.sbom", verdict: warned, note: noBuild},
	{path: "services.*.build.secrets", verdict: warned, note: noBuild},
	{path: "services.*.build.shm_size", verdict: warned, note: noBuild},
	{path: "services.*.build.ssh", verdict: warned, note: noBuild},
	{path: "services.*.build.tags", verdict: warned, note: noBuild},
	{path: "services.*.build.ulimits", verdict: warned, note: noBuild},
}
