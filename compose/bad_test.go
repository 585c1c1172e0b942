package compose

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/musterhq/muster/cluster"
)

// load reads content as a stack named "test".
func load(t *testing.T, content string) (*Stack, error) {
	t.Helper()
	return Load(t.Context(), Options{
		Files:      []string{"-"},
		Stdin:      strings.NewReader(content),
		Stack:      "test",
		Env:        map[string]string{},
		WorkingDir: t.TempDir(),
	})
}

// web is a file with one service and the given lines below it.
func web(lines ...string) string {
	return "services:\n  web:\n    image: nginx\n    " + strings.Join(lines, "\n    ") + "\n"
}

func TestBadFieldsAreNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		file  string
		field string
		want  string // part of reason or hint
	}{
		"unknown service field":   {web("imge: x"), "services.web.imge", `did you mean "image"`},
		"field in the wrong home": {web("replicas: 3"), "services.web.replicas", `did you mean "deploy.replicas"`},
		"unknown top field":       {"service:\n  web: {image: nginx}\n", "service", `did you mean "services"`},
		"unknown deploy field":    {web("deploy: {resources: {limit: {cpus: 1}}}"), "services.web.deploy.resources.limit", `did you mean "limits"`},
		"wrong type":              {web("ports: 80"), "services.web.ports", "must be a"},
		"no image":                {"services:\n  web: {command: x}\n", "services.web", "neither an image nor a build"},
		"no services":             {"services: {}\n", "services", "at least one service"},

		"capitals in a name":  {"services:\n  Web: {image: nginx}\n", "services.Web", "lower-case"},
		"underscore":          {"services:\n  my_web: {image: nginx}\n", "services.my_web", "hyphens"},
		"dots in a name":      {"services:\n  ..: {image: nginx}\n", "services...", "hyphens"},
		"64 characters":       {"services:\n  " + strings.Repeat("a", 64) + ": {image: nginx}\n", "services." + strings.Repeat("a", 64), "at most 63"},
		"image with a space":  {"services:\n  web: {image: a b}\n", "services.web.image", "not an image reference"},
		"image in capitals":   {"services:\n  web: {image: 'UPPER:'}\n", "services.web.image", "not an image reference"},
		"image with no tag":   {"services:\n  web: {image: 'nginx:'}\n", "services.web.image", "not an image reference"},
		"image above its dir": {"services:\n  web: {image: '../../etc'}\n", "services.web.image", "not an image reference"},

		"negative replicas":   {web("deploy: {replicas: -1}"), "services.web.deploy.replicas", "greater than or equal to 0"},
		"negative scale":      {web("scale: -1"), "services.web.scale", "greater than or equal to 0"},
		"many replicas":       {web("deploy: {replicas: 10001}"), "services.web.deploy.replicas", "more than the allowed 10000"},
		"huge replicas":       {web("deploy: {replicas: 99999999999999999999}"), "services.web.deploy.replicas", ""},
		"replicas as text":    {web("deploy: {replicas: many}"), "services.web.deploy.replicas", `"many" is not a number`},
		"replicas of global":  {web("deploy: {mode: global, replicas: 2}"), "services.web.deploy.replicas", "global"},
		"unknown mode":        {web("deploy: {mode: some}"), "services.web.deploy.mode", "replicated or global"},
		"job mode":            {web("deploy: {mode: replicated-job}"), "services.web.deploy.mode", "jobs are not run"},
		"cpus not a number":   {web("deploy: {resources: {limits: {cpus: 'NaN'}}}"), "services.web.deploy.resources.limits.cpus", "not a number"},
		"cpus infinite":       {web("deploy: {resources: {limits: {cpus: '1e999'}}}"), "services.web.deploy.resources.limits.cpus", ""},
		"cpus huge":           {web("deploy: {resources: {limits: {cpus: '1e30'}}}"), "services.web.deploy.resources.limits.cpus", "million"},
		"cpus tiny":           {web("deploy: {resources: {limits: {cpus: '0.0001'}}}"), "services.web.deploy.resources.limits.cpus", "thousandth"},
		"cpus negative":       {web("deploy: {resources: {limits: {cpus: '-1'}}}"), "services.web.deploy.resources.limits.cpus", "negative"},
		"memory huge":         {web("deploy: {resources: {limits: {memory: 9999999P}}}"), "services.web.deploy.resources.limits.memory", "give a size"},
		"memory not a size":   {web("deploy: {resources: {limits: {memory: lots}}}"), "services.web.deploy.resources.limits.memory", "write it as 512M"},
		"memory odd suffix":   {web("deploy: {resources: {limits: {memory: 1zb}}}"), "services.web.deploy.resources.limits.memory", "is no size: invalid suffix"},
		"reserved too much":   {web("deploy: {resources: {limits: {memory: 64M}, reservations: {memory: 128M}}}"), "services.web.deploy.resources.reservations.memory", "above the limit"},
		"cpus as a fraction":  {web("deploy: {resources: {reservations: {cpus: '1/2'}}}"), "services.web.deploy.resources.reservations.cpus", "not a number"},
		"memory not a number": {web("deploy: {resources: {reservations: {memory: nan}}}"), "services.web.deploy.resources.reservations.memory", "write it as 512M"},
		"memory beyond all":   {web("deploy: {resources: {reservations: {memory: 99999999999999999999G}}}"), "services.web.deploy.resources.reservations.memory", "too large"},
		"half a replica":      {web("deploy: {replicas: 1.5}"), "services.web.deploy.replicas", "must be a"},
		"half of a maximum":   {web("deploy: {placement: {max_replicas_per_node: 1.5}}"), "services.web.deploy.placement.max_replicas_per_node", "must be a"},
		"negative maximum":    {web("deploy: {placement: {max_replicas_per_node: -1}}"), "services.web.deploy.placement.max_replicas_per_node", ""},
		"above no number":     {web("deploy: {placement: {constraints: [node.labels.cores >= NaN]}}"), "services.web.deploy.placement.constraints[0]", "neither a number nor a version"},
		"10,000 constraints": {
			web("deploy:", "  placement:", "    constraints:") + repeat(10_000, "          - node.labels.l%d==x\n"),
			"services.web.deploy.placement.constraints", "has 10000 entries, at most 100",
		},
		"constraint":        {web("deploy: {placement: {constraints: [zone]}}"), "services.web.deploy.placement.constraints[0]", "neither == nor !="},
		"constraint key":    {web("deploy: {placement: {constraints: [zone == a]}}"), "services.web.deploy.placement.constraints[0]", "not a key"},
		"preference":        {web("deploy: {placement: {preferences: [spread: zone]}}"), "services.web.deploy.placement.preferences[0].spread", "node.labels.zone"},
		"order":             {web("deploy: {update_config: {order: sideways}}"), "services.web.deploy.update_config.order", ""},
		"failure action":    {web("deploy: {update_config: {failure_action: hope}}"), "services.web.deploy.update_config.failure_action", "use pause"},
		"failure ratio":     {web("deploy: {update_config: {max_failure_ratio: 1.5}}"), "services.web.deploy.update_config.max_failure_ratio", "between 0 and 1"},
		"rollback of one":   {web("deploy: {rollback_config: {failure_action: rollback}}"), "services.web.deploy.rollback_config.failure_action", "use pause"},
		"canary":            {web("x-muster: {canary: yellow}"), "services.web.x-muster.canary", "not a number of tasks"},
		"progress deadline": {web("x-muster: {progress_deadline: soon}"), "services.web.x-muster.progress_deadline", "not a time"},
		"restart":           {web("restart: sometimes"), "services.web.restart", "unless-stopped"},
		"restart number":    {web("restart: on-failure:x"), "services.web.restart", "number"},
		"restart condition": {web("deploy: {restart_policy: {condition: never}}"), "services.web.deploy.restart_policy.condition", "on-failure"},

		"port 0":               {web("ports: ['8080:0']"), "services.web.ports[0]", "target"},
		"port 70000":           {web("ports: ['80:80', '70000:80']"), "services.web.ports[1]", "70000"},
		"port by variable":     {web("ports: ['${PORT:-x}:80']"), "services.web.ports[0]", "x"},
		"target 70000":         {web("ports: [{target: 70000}]"), "services.web.ports[0].target", "not a port"},
		"range for one target": {web("ports: ['8000-8010:80']"), "services.web.ports[0].published", "range"},
		"sctp":                 {web("ports: ['53:53/sctp']"), "services.web.ports[0].protocol", "tcp or udp"},
		"port twice":           {web("ports: ['80:80', '80:81']"), "services.web.ports[1]", "second time"},
		"port of two services": {"services:\n  a: {image: x, ports: ['80:80']}\n  b: {image: x, ports: ['80:80']}\n", "services.b.ports[0]", `service "a"`},

		"relative mount target": {web("volumes: ['/a:b']"), "services.web.volumes[0].target", "absolute"},
		"undefined volume":      {web("volumes: ['data:/data']"), "services.web", "undefined volume"},
		"signal":                {web("stop_signal: SIGNOPE"), "services.web.stop_signal", "not a signal"},
		"reserved label":        {web("labels: {muster.task: x}"), "services.web.labels.muster.task", "reserved"},
		"health command":        {web("healthcheck: {test: [CMD]}"), "services.web.healthcheck.test", "not a test"},
		"health interval":       {web("healthcheck: {interval: 1us}"), "services.web.healthcheck.interval", "millisecond"},
		"NUL in a value":        {web(`environment: {A: "a\0b"}`), "services.web.environment.A", "NUL"},

		"secrets":              {web("secrets: [s]") + "secrets: {s: {file: ./s}}\n", "services.web.secrets", "not delivered"},
		"configs":              {web("configs: [c]") + "configs: {c: {file: ./c}}\n", "services.web.configs", "not delivered"},
		"network of another":   {web("network_mode: service:web"), "services.web.network_mode", "host or none"},
		"container network":    {web("network_mode: container:abc"), "services.web.network_mode", "host or none"},
		"external network":     {web("networks: [n]") + "networks: {n: {external: true}}\n", "networks.n.name", "STACK_NETWORK"},
		"external, by ours":    {web("networks: [n]") + "networks: {n: {external: true, x-muster: {network: a_b}}}\n", "networks.n.x-muster.network", "STACK/NETWORK"},
		"ours, not external":   {web("networks: [n]") + "networks: {n: {x-muster: {network: a/b}}}\n", "networks.n.x-muster.network", "external: true"},
		"shared how":           {web("networks: [n]") + "networks: {n: {x-muster: {shared: maybe}}}\n", "networks.n.x-muster.shared", "shared: true"},
		"ours, misspelt":       {web("networks: [n]") + "networks: {n: {x-muster: {share: true}}}\n", "networks.n.x-muster.share", "remove it"},
		"no subnet":            {web("networks: [n]") + "networks: {n: {ipam: {config: [{subnet: abc}]}}}\n", "networks.n.ipam.config[0].subnet", "172.28.0.0/16"},
		"large subnet":         {web("networks: [n]") + "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/8}]}}}\n", "networks.n.ipam.config.subnet", "between"},
		"alias":                {web("networks: {n: {aliases: [a b]}}") + "networks: {n: {}}\n", "services.web.networks.n.aliases[0]", "host name"},
		"volume driver":        {web("volumes: ['v:/v']") + "volumes: {v: {driver: nfs}}\n", "volumes.v.driver", "local"},
		"volume options":       {web("volumes: ['v:/v']") + "volumes: {v: {driver_opts: {type: nfs}}}\n", "volumes.v.driver_opts", "external volume"},
		"policy":               {web("x-muster: {policy: best}"), "services.web.x-muster.policy", "use hybrid, spread"},
		"policy as number":     {web("x-muster: {policy: 1}"), "services.web.x-muster.policy", "a word is expected"},
		"partition alone":      {web("x-muster: {partition: db}"), "services.web.x-muster.partition", "policy: fixed"},
		"affinities as text":   {web("x-muster: {affinities: ssd}"), "services.web.x-muster.affinities", "a list is expected"},
		"weight of a half":     {web("x-muster: {affinities: [{constraint: node.name==n1, weight: 0.5}]}"), "services.web.x-muster.affinities.weight", "a whole number is expected"},
		"heavy affinity":       {web("x-muster: {affinities: [{constraint: node.name==n1, weight: 101}]}"), "services.web.x-muster.affinities[0].weight", "101 is not between"},
		"affinity of nobody":   {web("x-muster: {affinities: [{constraint: zone==a, weight: 1}]}"), "services.web.x-muster.affinities[0].constraint", "not a key"},
		"affinity for more":    {web("x-muster: {affinities: [{constrain: node.name==n1, weight: 1}]}"), "services.web.x-muster.affinities[0].constrain", "not a field of Muster"},
		"apart from nobody":    {web("x-muster: {apart_from: [a/b/c]}"), "services.web.x-muster.apart_from[0]", "not a service"},
		"priority as word":     {web("x-muster: {priority: high}"), "services.web.x-muster.priority", "a whole number is expected"},
		"too much priority":    {web("x-muster: {priority: 101}"), "services.web.x-muster.priority", "101 is not between 0 and 100"},
		"preempt now and then": {web("x-muster: {preempt: sometimes}"), "services.web.x-muster.preempt", "use never"},
		"expected never":       {web("x-muster: {expected: soon}"), "services.web.x-muster.expected", "not a time"},
		"balance as word":      {web("x-muster: {balance: maglev}"), "services.web.x-muster.balance", "balance: {policy: least-request}"},
		"balance policy":       {web("x-muster: {balance: {policy: fastest}}"), "services.web.x-muster.balance.policy", "use round-robin, random"},
		"balance of more":      {web("x-muster: {balance: {policies: random}}"), "services.web.x-muster.balance.policies", "not a field of Muster"},
		"local as word":        {web("x-muster: {balance: {local: maybe}}"), "services.web.x-muster.balance.local", "true or false is expected"},
		"slow start as number": {web("x-muster: {balance: {slow_start: 30}}"), "services.web.x-muster.balance.slow_start", "not a time"},
		"very slow start":      {web("x-muster: {balance: {slow_start: 61m}}"), "services.web.x-muster.balance.slow_start", "more than an hour"},
		"negative limit":       {web("x-muster: {balance: {connections: -1}}"), "services.web.x-muster.balance.connections", "is negative"},
		"limit of a half":      {web("x-muster: {balance: {connections: 0.5}}"), "services.web.x-muster.balance.connections", "a whole number is expected"},
		"too high a limit":     {web("x-muster: {balance: {connections: 10001}}"), "services.web.x-muster.balance.connections", "more than the allowed 10000"},
		"old PROXY protocol":   {web("x-muster: {balance: {proxy_protocol: v1}}"), "services.web.x-muster.balance.proxy_protocol", "use v2"},
		"health as word":       {web("x-muster: {health: http}"), "services.web.x-muster.health", "health: {http: {port: 8080"},
		"health of nothing":    {web("x-muster: {health: {interval: 5s}}"), "services.web.x-muster.health", "does not say what to check"},
		"health twice":         {web("x-muster: {health: {tcp: {port: 80}, exec: [a]}}"), "services.web.x-muster.health", "has tcp and exec"},
		"health of no port":    {web("x-muster: {health: {http: {path: /}}}"), "services.web.x-muster.health.http.port", "is missing"},
		"health of high port":  {web("x-muster: {health: {http: {port: 65536}}}"), "services.web.x-muster.health.http.port", "a port number is expected"},
		"health of bad path":   {web("x-muster: {health: {http: {port: 80, path: healthz}}}"), "services.web.x-muster.health.http.path", "not a path"},
		"health elsewhere":     {web("x-muster: {health: {http: {port: 80, host: 10.0.0.1}}}"), "services.web.x-muster.health.http.host", "not a field of Muster"},
		"health now and then":  {web("x-muster: {health: {tcp: {port: 80}, interval: 1}}"), "services.web.x-muster.health.interval", "not a time"},
		"health without rest":  {web("x-muster: {health: {tcp: {port: 80}, interval: 1ms}}"), "services.web.x-muster.health.interval", "less than 100ms"},
		"health and patience":  {web("x-muster: {health: {tcp: {port: 80}, threshold: 101}}"), "services.web.x-muster.health.threshold", "more than the allowed 100"},
		"health of no network": {web("network_mode: none", "x-muster: {health: {tcp: {port: 80}}}"), "services.web.x-muster.health.tcp", "no network"},
		"near to nobody":       {web("x-muster: {near: [A b]}"), "services.web.x-muster.near[0]", "use"},
		"taint without name":   {web("x-muster: {tolerations: ['=x']}"), "services.web.x-muster.tolerations[0]", "names no taint"},
		"fencing":              {web("x-muster: {guarantee: at-most-one}"), "services.web.x-muster.guarantee", "until fencing exists"},
		"unknown of ours":      {web("x-muster: {fence: at-most-one}"), "services.web.x-muster.fence", "not a field of Muster"},
		"ours as text":         {web("x-muster: yes please"), "services.web.x-muster", "not a mapping"},
		"ours out of place":    {web() + "volumes: {v: {x-muster: {a: b}}}\n", "volumes.v.x-muster", "not a field of Muster"},
		"hooks":                {web("pre_stop: [{command: x}]"), "services.web.pre_stop", "stop_signal"},
		"jobs":                 {web() + "jobs: {j: {image: x, triggers: {manual: true}}}\n", "jobs", "not run yet"},
		"cyclic depends_on":    {"services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n", "", "cycle"},
		"cyclic extends":       {"services:\n  a: {image: x, extends: b}\n  b: {image: x, extends: a}\n", "", "Circular reference"},
		"required variable":    {web("user: ${NOBODY:?say who}"), "", "say who"},
		"rebalance":            {web("x-muster: {rebalance: always}"), "services.web.x-muster.rebalance", "auto, manual and never"},

		"no disk":             {web("x-muster: {resources: {disk: 0}}"), "services.web.x-muster.resources.disk", "asks for nothing"},
		"negative disk":       {web("x-muster: {resources: {disk: -1G}}"), "services.web.x-muster.resources.disk", "is negative"},
		"disk of NaN":         {web("x-muster: {resources: {disk: NaN}}"), "services.web.x-muster.resources.disk", "is not an amount"},
		"enormous disk":       {web("x-muster: {resources: {disk: 1e30}}"), "services.web.x-muster.resources.disk", "more than an exbibyte"},
		"disk as list":        {web("x-muster: {resources: {disk: [1G]}}"), "services.web.x-muster.resources.disk", "neither a number nor text"},
		"bandwidth in words":  {web("x-muster: {resources: {bandwidth: fast}}"), "services.web.x-muster.resources.bandwidth", "is not an amount"},
		"enormous bandwidth":  {web("x-muster: {resources: {bandwidth: 9999Tbit}}"), "services.web.x-muster.resources.bandwidth", "more than a petabit"},
		"part of a bit":       {web("x-muster: {resources: {bandwidth: 0.5}}"), "services.web.x-muster.resources.bandwidth", "less than one"},
		"one and a half GPU":  {web("x-muster: {resources: {gpu: 1.5}}"), "services.web.x-muster.resources.gpu", "neither a whole number nor below 1"},
		"no GPU":              {web("x-muster: {resources: {gpu: 0}}"), "services.web.x-muster.resources.gpu", "asks for nothing"},
		"negative GPU":        {web("x-muster: {resources: {gpu: -1}}"), "services.web.x-muster.resources.gpu", "is negative"},
		"GPU of NaN":          {web("x-muster: {resources: {gpu: NaN}}"), "services.web.x-muster.resources.gpu", "is not a number"},
		"a speck of a GPU":    {web("x-muster: {resources: {gpu: 0.0001}}"), "services.web.x-muster.resources.gpu", "less than a thousandth"},
		"a million GPUs":      {web("x-muster: {resources: {gpu: 1000000}}"), "services.web.x-muster.resources.gpu", "more than 1024"},
		"devices as number":   {web("x-muster: {resources: {devices: 2}}"), "services.web.x-muster.resources.devices", "is not a mapping"},
		"no device":           {web("x-muster: {resources: {devices: {tty: 0}}}"), "services.web.x-muster.resources.devices.tty", "asks for nothing"},
		"device in words":     {web("x-muster: {resources: {devices: {tty: many}}}"), "services.web.x-muster.resources.devices.tty", "is not a number"},
		"nameless device":     {web("x-muster: {resources: {devices: {T T: 1}}}"), "services.web.x-muster.resources.devices", "use lower-case letters"},
		"device twice":        {web("x-muster: {resources: {devices: {tty: [a, a]}}}"), "services.web.x-muster.resources.devices.tty.device_ids", "named twice"},
		"no ID":               {web("x-muster: {resources: {devices: {tty: []}}}"), "services.web.x-muster.resources.devices.tty", "is not a number of devices"},
		"GPU twice":           {web("x-muster: {resources: {gpu: 1, devices: {gpu: 1}}}"), "services.web.x-muster.resources.gpu", "a second time"},
		"unknown resource":    {web("x-muster: {resources: {disc: 1G}}"), "services.web.x-muster.resources.disc", "not a field of Muster"},
		"resources as text":   {web("x-muster: {resources: many}"), "services.web.x-muster.resources", "not a mapping"},
		"all GPUs":            {web("deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: all}]}}}"), "services.web.deploy.resources.reservations.devices[0].count", "give a number"},
		"GPUs without count":  {web("deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}"), "services.web.deploy.resources.reservations.devices[0].count", "give a number"},
		"0 GPUs":              {web("deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 0}]}}}"), "services.web.deploy.resources.reservations.devices[0].count", "asks for nothing"},
		"-2 GPUs":             {web("deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: -2}]}}}"), "services.web.deploy.resources.reservations.devices[0].count", "is negative"},
		"driver":              {web("deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 1, driver: amd}]}}}"), "services.web.deploy.resources.reservations.devices[0].driver", "nvidia"},
		"capabilities":        {web("deploy: {resources: {reservations: {devices: [{capabilities: [gpu, utility], count: 1}]}}}"), "services.web.deploy.resources.reservations.devices[0].capabilities", "NVIDIA_DRIVER_CAPABILITIES"},
		"device options":      {web("deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 1, options: {a: b}}]}}}"), "services.web.deploy.resources.reservations.devices[0].options", "remove them"},
		"no generic resource": {web("deploy: {resources: {reservations: {generic_resources: [{discrete_resource_spec: {kind: ssd, value: 0}}]}}}"), "services.web.deploy.resources.reservations.generic_resources[0].discrete_resource_spec.value", "asks for nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			stack, err := load(t, tc.file)
			if err == nil {
				t.Fatalf("accepted as %+v", stack)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %q does not say %q", err, tc.want)
			}
			var fe *cluster.FieldError
			if tc.field != "" && (!errors.As(err, &fe) || fe.Field != tc.field) {
				t.Errorf("error %q (%T) does not name the field %q", err, err, tc.field)
			}
		})
	}
}

func TestBadDocuments(t *testing.T) {
	bomb := "x-a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'i'; c++ {
		bomb += fmt.Sprintf("x-%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 10), ","))
	}
	for name, tc := range map[string]struct{ file, want string }{
		"empty":         {"", "services: is missing: the file is empty; name a service"},
		"a list":        {"- a\n", "must be a mapping"},
		"not YAML":      {"services: [\n", "not YAML"},
		"a tab":         {"services:\n\tweb: {}\n", "not YAML"},
		"binary":        {"\x7fELF\x00\x01", ""},
		"alias bomb":    {bomb + web(), "fewer aliases"},
		"alias to self": {"x-a: &a [*a]\n" + web(), "part of"},
		"deep":          {"x-a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "\n" + web(), "nests deeper"},
		"too large":     {web() + "#" + strings.Repeat("x", MaxFileSize), "larger than 1 MiB"},
		"many services": {"x-s: &s {image: x}\nservices:\n" + repeat(1001, "  s%d: *s\n"), "at most 1000"},
		"port ranges":   {"x-p: &p ['1-60000:1-60000']\n" + web("ports: *p"), "ports of all ranges"},
		"hidden ranges": {web("ports: ['${A:-1}-${B:-60000}:${A:-1}-${B:-60000}']"), "60000\" brings the ports of all ranges"},
		"key twice":     {web("image: x"), "already defined"},
		"number as key": {"services:\n  1: {image: x}\n  [a]: {image: x}\n", ""},
		"not a number":  {web("cpus: .nan"), "line 4: .nan"},
		"infinite":      {web("cpus: -.Inf"), "line 4: -.Inf"},
		"large spec":    {web("environment:") + repeat(200, "      V%d: "+strings.Repeat("x", 6000)+"\n"), "larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			stack, err := load(t, tc.file)
			if err == nil {
				t.Fatalf("accepted as %+v", stack)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %.300q does not say %q", err.Error(), tc.want)
			}
		})
	}
}

func repeat(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ok.yaml"), web())
	write(t, filepath.Join(dir, "loop.yaml"), "include: [loop.yaml]\n"+web())
	write(t, filepath.Join(dir, "lost.yaml"), "include: [nowhere.yaml]\n"+web())
	write(t, filepath.Join(dir, "env.yaml"), web("env_file: nowhere.env"))
	for name, tc := range map[string]struct {
		options Options
		want    string
	}{
		"no file":        {Options{}, "file: is missing"},
		"missing file":   {Options{Files: []string{filepath.Join(dir, "nowhere.yaml")}}, "no such file"},
		"directory":      {Options{Files: []string{dir}}, "is a directory"},
		"no stdin":       {Options{Files: []string{"-"}}, "no standard input"},
		"include loop":   {Options{Files: []string{filepath.Join(dir, "loop.yaml")}, Stack: "x"}, "include cycle"},
		"lost include":   {Options{Files: []string{filepath.Join(dir, "lost.yaml")}, Stack: "x"}, "no such file"},
		"lost env file":  {Options{Files: []string{filepath.Join(dir, "env.yaml")}, Stack: "x"}, "nowhere.env"},
		"stack path":     {Options{Files: []string{filepath.Join(dir, "ok.yaml")}, Stack: "../x"}, `stack: "../x"`},
		"stack capitals": {Options{Files: []string{filepath.Join(dir, "ok.yaml")}, Stack: "Shop"}, `stack: "Shop"`},
		"name in file":   {Options{Files: []string{"-"}, Stdin: strings.NewReader("name: My_Shop\n" + web())}, `name: "My_Shop"`},
		"no name at all": {Options{Files: []string{"-"}, Stdin: strings.NewReader(web()), WorkingDir: "/"}, "name: is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.options.Env = map[string]string{}
			stack, err := Load(t.Context(), tc.options)
			if err == nil {
				t.Fatalf("accepted as %+v", stack)
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %q does not say %q", err, tc.want)
			}
		})
	}
}
