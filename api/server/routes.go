package server

import (
	"slices"

	"github.com/musterhq/muster/security"
)

// where says which node serves a call.
type where uint8

const (
	here   where = iota + 1 // whoever is asked
	leader                  // the leader, or nobody
	fresh                   // the leader, else a voter from what it has, marked stale
	idle                    // whoever is asked, member or not
)

// route is one line of the API.
type route struct {
	pattern string // as for http.ServeMux
	access  security.Access
	where   where
	handle  handler
	stream  bool // no time limit; relayed over the bulk connection
}

// routes is the whole API: nothing else is reachable.
func routes() []route { return slices.Concat(hostRoutes(), userRoutes(), nodeRoutes()) }

// hostRoutes are about the host that is asked alone.
func hostRoutes() []route {
	const (
		open = security.Public
		user = security.LocalAdmin
	)
	return []route{
		{pattern: "GET /healthz", access: open, where: idle, handle: healthz},

		{pattern: "GET /metrics", access: user, where: here, handle: metrics},
		{pattern: "GET /v1/local", access: user, where: idle, handle: local},
		{pattern: "GET /v1/version", access: user, where: idle, handle: version},
		{pattern: "GET /v1/local/doctor", access: user, where: idle, handle: doctorLocal},
		{pattern: "POST /v1/init", access: user, where: idle, handle: initCluster},
		{pattern: "POST /v1/join", access: user, where: idle, handle: joinCluster},
		{pattern: "POST /v1/leave", access: user, where: idle, handle: leaveCluster},
	}
}

// userRoutes are what people and programs call.
func userRoutes() []route {
	const user = security.LocalAdmin
	return []route{
		{pattern: "GET /v1/status", access: user, where: fresh, handle: status},
		{pattern: "GET /v1/nodes", access: user, where: fresh, handle: listNodes},
		{pattern: "GET /v1/nodes/{node}", access: user, where: fresh, handle: getNode},
		{pattern: "DELETE /v1/nodes/{node}", access: user, where: leader, handle: removeNode},
		{pattern: "POST /v1/nodes/{node}/availability", access: user, where: leader, handle: setAvailability},
		{pattern: "POST /v1/nodes/{node}/labels", access: user, where: leader, handle: setLabels},
		{pattern: "GET /v1/tokens", access: user, where: fresh, handle: listTokens},
		{pattern: "POST /v1/tokens", access: user, where: leader, handle: createToken},
		{pattern: "DELETE /v1/tokens/{id}", access: user, where: leader, handle: removeToken},
		{pattern: "GET /v1/settings", access: user, where: fresh, handle: getSettings},
		{pattern: "POST /v1/settings", access: user, where: leader, handle: configure},
		{pattern: "GET /v1/networks", access: user, where: fresh, handle: listNetworks},
		{pattern: "GET /v1/networks/{stack}/{network}", access: user, where: fresh, handle: getNetwork},
		{pattern: "GET /v1/trust", access: user, where: fresh, handle: getTrust},
		{pattern: "POST /v1/ca/rotate", access: user, where: leader, handle: rotateCA},
		{pattern: "POST /v1/key/rotate", access: user, where: leader, handle: rotateGossipKey},

		{pattern: "PUT /v1/stacks/{stack}", access: user, where: here, handle: deploy},
		{pattern: "POST /v1/stacks/{stack}/plan", access: user, where: leader, handle: planStack},
		{pattern: "GET /v1/stacks/{stack}", access: user, where: fresh, handle: getStack},
		{pattern: "DELETE /v1/stacks/{stack}", access: user, where: leader, handle: removeStack},
		{pattern: "GET /v1/services", access: user, where: fresh, handle: listServices},
		{pattern: "GET /v1/services/{stack}/{service}", access: user, where: fresh, handle: getService},
		{pattern: "POST /v1/services/{stack}/{service}/scale", access: user, where: leader, handle: scaleService},
		{pattern: "POST /v1/services/{stack}/{service}/restart", access: user, where: leader, handle: restartService},
		{pattern: "POST /v1/services/{stack}/{service}/rollback", access: user, where: leader, handle: rollbackService},
		{pattern: "POST /v1/services/{stack}/{service}/promote", access: user, where: leader, handle: promoteService},
		{pattern: "POST /v1/services/{stack}/{service}/redirect", access: user, where: leader, handle: redirectService},
		{pattern: "GET /v1/services/{stack}/{service}/history", access: user, where: fresh, handle: serviceHistory},
		{pattern: "GET /v1/tasks", access: user, where: fresh, handle: listTasks},
		{pattern: "GET /v1/tasks/{task}", access: user, where: fresh, handle: getTask},
		{pattern: "GET /v1/tasks/{task}/why", access: user, where: fresh, handle: whyTask},
		{pattern: "GET /v1/services/{stack}/{service}/why", access: user, where: fresh, handle: whyService},
		{pattern: "GET /v1/recording", access: user, where: fresh, handle: record},
		{pattern: "POST /v1/simulate", access: user, where: fresh, handle: simulate},
		{pattern: "POST /v1/rebalance", access: user, where: fresh, handle: rebalance},
		{pattern: "POST /v1/moves", access: user, where: leader, handle: moveTasks},
		{pattern: "GET /v1/doctor", access: user, where: here, handle: doctorAll},
		{pattern: "GET /v1/usage", access: user, where: here, handle: listUsage},
		{pattern: "GET /v1/logs", access: user, where: fresh, handle: logs, stream: true},
		{pattern: "GET /v1/events", access: user, where: fresh, handle: events, stream: true},
		{pattern: "GET /v1/exec/{task}", access: user, where: here, handle: execTask, stream: true},
		{pattern: "GET /v1/images", access: user, where: here, handle: listImages},
		{pattern: "POST /v1/images/push", access: user, where: here, handle: pushImage, stream: true},
		{pattern: "POST /v1/images/prune", access: user, where: here, handle: pruneImages, stream: true},
		{pattern: "POST /v1/images/build", access: user, where: here, handle: buildImage, stream: true},
		{pattern: "PUT /v1/registries/{server}", access: user, where: leader, handle: putRegistry},
	}
}

// nodeRoutes are what nodes say to each other.
func nodeRoutes() []route {
	const (
		open  = security.Public
		node  = security.AnyNode
		voter = security.Voter
	)
	return []route{
		{pattern: "POST /v1/node/join", access: open, where: leader, handle: nodeJoin},
		{pattern: "POST /v1/node/renew", access: security.Renewal, where: leader, handle: nodeRenew},
		{pattern: "POST /v1/node/trust", access: node, where: leader, handle: nodeTrust},
		{pattern: "POST /v1/node/heartbeat", access: node, where: leader, handle: nodeHeartbeat},
		{pattern: "POST /v1/node/observe", access: node, where: leader, handle: nodeObserve},
		{pattern: "POST /v1/node/update", access: node, where: leader, handle: nodeUpdate},
		{pattern: "POST /v1/node/leave", access: node, where: leader, handle: nodeLeave},
		{pattern: "POST /v1/node/deploy/{stack}", access: node, where: leader, handle: nodeDeploy},
		{pattern: "GET /v1/node/login", access: node, where: leader, handle: nodeLogin},
		{pattern: "GET /v1/node/feed", access: node, where: here, handle: nodeFeed, stream: true},
		{pattern: "POST /v1/node/probe", access: voter, where: here, handle: nodeProbe},
		{pattern: "POST /v1/node/promote", access: voter, where: here, handle: nodePromote},
		{pattern: "POST /v1/node/demote", access: voter, where: here, handle: nodeDemote},
		{pattern: "POST /v1/node/revote", access: voter, where: here, handle: nodeRevote},
		{pattern: "GET /v1/node/logs", access: node, where: here, handle: nodeLogs, stream: true},
		{pattern: "POST /v1/node/facts", access: node, where: here, handle: nodeFacts},
		{pattern: "POST /v1/node/reach", access: node, where: here, handle: nodeReach},
		{pattern: "POST /v1/node/echo", access: node, where: here, handle: nodeEcho},
		{pattern: "GET /v1/node/usage", access: node, where: here, handle: nodeUsage},
		{pattern: "GET /v1/node/exec", access: node, where: here, handle: nodeExec, stream: true},
		{pattern: "GET /v1/node/images", access: node, where: here, handle: nodeImages},
		{pattern: "GET /v1/node/image", access: node, where: here, handle: nodeImage, stream: true},
		{pattern: "POST /v1/node/images/wanted", access: node, where: leader, handle: nodeWantedImages},
		{pattern: "POST /v1/node/images/pulled", access: node, where: leader, handle: nodeImagePulled},
		{pattern: "POST /v1/node/images/removed", access: node, where: leader, handle: nodeImagesRemoved},
		{pattern: "POST /v1/node/images/prune", access: node, where: here, handle: nodePruneImages, stream: true},
		{pattern: "POST /v1/node/images/record", access: node, where: fresh, handle: nodeImageRecord},
		{pattern: "POST /v1/node/image/vouch", access: node, where: here, handle: nodeImageVouch},
		{pattern: "GET /v1/node/image/config", access: node, where: here, handle: nodeImageConfig, stream: true},
		{pattern: "POST /v1/node/image/layers", access: node, where: here, handle: nodeImageLayers, stream: true},
		{pattern: "POST /v1/node/image", access: node, where: here, handle: nodeFetch, stream: true},
		{pattern: "GET /v1/node/resolve", access: node, where: here, handle: nodeResolve},
	}
}
