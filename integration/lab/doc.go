// Package lab runs several real Docker hosts on one Linux machine: for the
// integration tests, the demo and the benchmarks.
//
// A host is a network namespace with one cable (a veth pair) into a common
// bridge, a PID, mount and UTS namespace of its own under a small init, a
// private /run, and a dockerd with its own disk directory. SIGKILL of that init
// is the death of the host: the kernel ends the engine, the containers and the
// agent with it. The machine's own network namespace is "outside": it holds
// 10.213.0.1 on the bridge, the hosts n1, n2, ... hold 10.213.0.11, .12, ...
//
//	          outside (root namespace) 10.213.0.1
//	                    mlab0 (bridge)
//	       mlabn1 |          | mlabn2         | ...
//	netns mlab-n1 | eth0     | eth0           |
//	  10.213.0.11            10.213.0.12
//	  init -> dockerd -> containers (172.18.1.0/24)
//	       -> muster agent
//
// The package owns everything named mlab* or muster-lab on the machine: one lab
// at a time (a machine-wide lock), and what an interrupted one left behind is
// swept away before the next begins.
//
// It may not know the insides of Muster: it starts the binary it is given, calls
// the command line, and looks at the engines over their own HTTP API. Faults are
// verbs of [Host]: Kill, Cut, Drop, DropPort, PauseAgent, StopDocker, Busy, Hog,
// FillDisk, HangDisk.
//
// Start reading at lab.go, then host.go; enter.go is how a process gets into a
// host. Root is required; [Available] says what else is missing.
package lab
