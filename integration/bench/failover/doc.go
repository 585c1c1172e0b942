// Command failover measures what a user waits for when hosts die and when
// stacks are deployed, on three real Docker hosts of this machine.
//
//	go run ./integration/bench/failover [-runs 5] [-only follower,deploy] [-json FILE]
//
// It owns the figures of `make bench-failover`:
//
//	follower_s, leader_s    seconds from the power loss of a host, which leads or
//	                        not, until all 12 tasks run on the others; a list
//	follower_answers_s,     seconds until the last request, to the published port
//	leader_answers_s        of a host that is left, failed; 0 if none did. One
//	                        fails that is not answered within a second
//	follower_failed,        how many did
//	leader_failed
//	follower_slowest_s,     seconds that the slowest request took
//	leader_slowest_s
//	deploy_s                seconds from `muster deploy` until 6, 30, 60 run
//	docker_floor_s          the same containers through the bare Docker API, one
//	                        at a time for each engine, network included
//	agent_kill_write_s      seconds from SIGKILL of the leader's agent alone until the
//	                        next write is accepted through another host; a list
//	hung_disk_write_s       the same from when the disk hangs under the leader
//	agent_rss_mb            memory of a host's agent and data plane at rest, the
//	                        largest
//	agent_cpu_pct           processor time of the two at rest over a minute, the
//	                        largest, in per cent of one core
//	false_down              nodes taken for down in two minutes with every core
//	                        busy, inside and outside the hosts
//	moved_while_alive       containers replaced in the same two minutes
//
// A host is killed only when it has its share of the tasks: one that died often is
// given none for a while, and its death would cost nothing.
//
// The engines' own container lists are the truth here, and requests come from
// outside the hosts; nothing is measured by asking Muster. It may not know what
// an agent is made of. Root is required.
//
// Start reading at main.go; each of the other files is one measurement.
package main
