// Command hello is the example service: a small HTTP server that says who
// answers, and that can be told to be slow, sick, to crash, and to be stubborn.
//
//	hello [-port N] [-udp] [-proxy-protocol] [-crash-after D] [-ignore-term]
//	hello healthcheck      exits 0 if the server in this container answers
//	hello ask URL          prints what another server answers
//	hello lookup NAME      prints the addresses of a name
//
// It is static and needs nothing beside it, so that it runs in an empty image.
package main
