// Package runtime is the port to a container engine: what the agent asks of
// it, in Muster's words.
//
// It owns the Driver interface and its values. It may not know Docker or any
// other engine: runtime/docker and runtime/fake implement the port, and
// runtime/runtimetest holds the one suite that both pass. Start with Driver.
package runtime
