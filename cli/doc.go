// Package cli is the command line: one file a verb.
//
// It owns what a user types, what is printed, and the exit codes that scripts
// rely on:
//
//	0    done
//	1    error
//	2    usage: unknown verb or flag, wrong number of arguments, bad value
//	3    deployed, but not healthy in time
//	130  interrupted; what was asked of the cluster goes on
//	n    exec and run --rm: the command's own
//
// It talks to api/client only, and may not know what an agent is made of: the
// caller hands in the function that runs one (Deps.RunAgent). Every flag can be
// given as MUSTER_NAME in the environment, see env.go.
//
// Start with cli.go (a run from arguments to exit code), root.go (the verbs),
// then output.go (reads) and watch.go (waiting for what a write started).
package cli
