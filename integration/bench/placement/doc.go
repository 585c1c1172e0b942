// Command placement measures how well policies of placement use hosts, on recorded
// workloads, and how fast tasks are placed. It runs no Docker.
//
//	go run ./integration/bench/placement [-traces DIR] [-seeds 5] [-variants] [-runs 5] [-only A,B,...] [-json FILE]
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
//	D.grouped_per_s             tasks placed a second, 100,000 of 100 services
//	D.single_per_s              tasks placed a second, 10,000 of as many services
//	D.million_s                 seconds for a million tasks of 1000 services
//	D.bytes_per_task            bytes allocated for each of those
//	D.p99_full_ms               milliseconds for one task where all nodes but a
//	                            few are full, the 99th percentile
//	D.growth_single_us.<n>      microseconds for a task on n nodes, of a service of
//	                            its own, without the label rule
//	D.growth_grouped_us.<n>     the same of a service of 100
//	E.assigned_per_s            tasks that get a node a second, from a deploy of
//	                            100 services of 100 to the last one: 1000 nodes,
//	                            the leader's loop, and the log of three voters
//	                            with their files and sockets, all in this process
//	F.plan_cpu_ms               milliseconds for what the leader computes for
//	                            `muster plan` of a new stack of 50 services of 3,
//	                            on 1000 nodes with 10,000 tasks
//	F.update_cpu_ms             the same where the stack is there and gets new
//	                            images
//
// A and B are means over the seeds. No policy knows a task before it arrives, nor
// when it ends. With -variants everything is repeated on other workloads that are
// made of the same traces: other sizes, fewer and other nodes.
//
// D to F are medians over the runs. D and F are the time that this process took of
// the processors, the collector included, and D has one of them; in D every task
// asks for CPU and memory, one label rule that a tenth of 10,000 nodes passes, and
// to be spread over three zones (workload/). No call is left out, nor is anything
// that `muster why` shows. E is time as it passes: what else the machine does
// counts, its disk above all (TMPDIR says which).
//
// The traces are not part of this repository: openb is Alibaba's
// cluster-trace-gpu-v2023 (Apache-2.0), azure is from AzurePublicDataset V1
// (CC-BY-4.0). Where the directory is absent the program says so and measures D to F.
//
// Start with measure.go. In A and B hybrid is the product's engine: one plan for all
// tasks in order of their arrival (engine.go); it learns the mix as it goes. In C
// tasks end all the time, and a plan for each that arrives would begin with a copy
// of the cluster: there a fleet asks for the product's price of room itself
// (hybrid.go, placement/packing), and hosts are emptied by rules of the benchmark
// (moves.go). The references are policies on such fleets. speed.go
// measures D, assigned.go E on the cluster of ring.go, planned.go F.
package main
