// Command placement measures how well policies of placement use hosts, on recorded
// workloads. It runs no Docker and no cluster.
//
//	go run ./integration/bench/placement [-traces DIR] [-seeds 5] [-variants] [-json FILE]
//
// It owns the figures of `make bench-placement`:
//
//	A.before_first_failure_pct  CPU allocated when the first task did not fit, on
//	                            the nodes of openb_nodes.csv; the tasks of
//	                            openb_pods.csv, CPU and memory of them, arrive in
//	                            random order, again and again, until they have
//	                            asked for 130 % of all CPU; one that does not fit
//	                            is dropped
//	A.saturated_pct             CPU allocated at the end
//	B.gpu_pct                   GPUs allocated at the end, with shares of a device
//	                            and whole ones, on the nodes with devices, until
//	                            130 % of them are asked for
//	C.online_over_pct           hosts of 64 cores and 128 GiB in use above what the
//	                            sum of demands needs at least, over time, while the
//	                            tasks of azure_v1_1d.csv come and go and hosts
//	                            without tasks are given back; the first 18 h are
//	                            not counted
//	C.moves_over_pct            the same where hosts may be emptied by moving tasks
//	C.moves_per_day_pct         moves, of the tasks that arrived
//	reference.<policy>          the same for policies of other orchestrators
//
// A and B are means over the seeds. No policy knows a task before it arrives, nor
// when it ends. With -variants everything is repeated on other workloads that are
// made of the same traces: other sizes, fewer and other nodes.
//
// The traces are not part of this repository: openb is Alibaba's
// cluster-trace-gpu-v2023 (Apache-2.0), azure is from AzurePublicDataset V1
// (CC-BY-4.0). Where the directory is absent the program says so and ends well.
//
// The policy hybrid is pure: room.go is what a node has left, demands.go what is
// known of the tasks seen, hybrid.go the price of a node. Start reading there;
// hybrid_fleet.go asks every node for its price.
package main
