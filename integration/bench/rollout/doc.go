// Command rollout measures what users of a published service notice while it is
// updated, its hosts are drained and parts of it are killed, on three real Docker
// hosts of this machine.
//
//	go run ./integration/bench/rollout [-rate 2000] [-only deploy,drain] [-part 1] [-json FILE]
//
// It owns the figures of `make bench-rollout`:
//
//	requests        how many were sent, half of them over connections that stay
//	                open and half over one of their own, to all hosts in turn
//	failed          how many of them failed, by what was done meanwhile:
//	                deploy               20 updates of the image
//	                drain                10 drains of a host, and its return
//	                agent_kill           10 agents killed (SIGKILL) and started again
//	                dataplane_upgrade    5 data planes replaced by another process
//	                task_kill            5 containers killed (SIGKILL)
//	                host_kill            5 hosts powered off; the others are asked
//	late_pick_ms    task, host: the longest that a request which failed was sent
//	                after such a death
//
// A request fails that is not answered with 200 within two seconds. With -part
// below 1 everything is done that much less often.
//
// The load runs on the same machine, outside the hosts. It may not know what an
// agent is made of. Root is required. Start reading at main.go.
package main
