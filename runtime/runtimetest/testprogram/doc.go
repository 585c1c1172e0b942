// Command testprogram is what the containers of the runtime suite run. It is
// linked statically and is all that its image holds.
//
// It owns the verbs that tests run in containers. It may not know Muster. Start
// with run.
package main
