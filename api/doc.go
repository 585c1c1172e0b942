// Package api holds the wire types of Muster's HTTP API and its errors.
//
// It owns what travels between the CLI, other programs and the agents, as JSON;
// field names are a contract. It may not know how a call is served (api/server)
// or sent (api/client). The user's specification is cluster.ServiceSpec itself;
// everything that is shown is a type of its own here.
//
// Start with the list below, then Status, Node, Service and Task.
//
//	User calls: the local socket, or relayed by a member node
//	  GET    /v1/version                        Version
//	  GET    /v1/status                         Status
//	  GET    /v1/nodes                          []Node
//	  GET    /v1/nodes/{node}                   NodeDetail; by ID, ID prefix or name
//	  DELETE /v1/nodes/{node}?force=1
//	  POST   /v1/nodes/{node}/availability      SetAvailability -> NodeDetail
//	  POST   /v1/nodes/{node}/labels            SetLabels -> NodeDetail
//	  GET    /v1/tokens                         []Token
//	  POST   /v1/tokens                         CreateToken -> NewToken
//	  DELETE /v1/tokens/{id}
//	  PUT    /v1/stacks/{stack}                 Deploy -> Deployed
//	  POST   /v1/stacks/{stack}/plan            Deploy -> Plan; changes nothing
//	  GET    /v1/stacks/{stack}                 StackStatus
//	  DELETE /v1/stacks/{stack}?service=NAME    Deployed; repeatable, none: all
//	  GET    /v1/services?stack=                []Service
//	  GET    /v1/services/{stack}/{service}     ServiceDetail
//	  POST   /v1/services/{stack}/{service}/scale    Scale -> Deployed
//	  POST   /v1/services/{stack}/{service}/restart  -> Deployed
//	  POST   /v1/services/{stack}/{service}/rollback Rollback -> Deployed
//	  POST   /v1/services/{stack}/{service}/promote  PromoteService -> Deployed
//	  GET    /v1/services/{stack}/{service}/history  []Generation; the newest first
//	  GET    /v1/tasks?stack=&service=&all=1    []Task
//	  GET    /v1/tasks/{task}                   TaskDetail; by ID or ID prefix
//	  GET    /v1/usage                          []TaskUsage; of nodes that answer
//	  GET    /v1/doctor                         []Finding; of every node
//	  GET    /v1/logs?stack=&service=&task=&follow=1&tail=N&since=RFC3339   stream of LogLine
//	  GET    /v1/events?follow=1&after=INDEX&tail=N&type=&service=&node=   stream of Event
//	  GET    /v1/exec/{task}?cmd=&env=&user=&workdir=&tty=1&stdin=1&rows=&cols=   websocket, see ExecStdin
//	  GET    /v1/images                         []Image
//	  POST   /v1/images/push                    PushImage -> stream of PushProgress
//	  POST   /v1/images/build?tag=&dockerfile=&target=&arg=K=V   tar -> stream of BuildLine
//	  PUT    /v1/registries/{server}            RegistryLogin
//
//	Local calls: the local socket only
//	  GET  /v1/local                            Local
//	  GET  /v1/local/doctor?to=ADDR             []Finding; of this host, and of the way to ADDR
//	  POST /v1/init                             Init -> Initialised
//	  POST /v1/join                             Join -> Joined
//	  POST /v1/leave                            Leave
//
// Streams are JSON values, one a line (application/x-ndjson).
package api
