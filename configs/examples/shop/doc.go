// Command shop is the example of a stack whose services find each other by name: a
// front page, an API, a worker and a store, one program with a verb for each.
//
//	shop web      takes orders and shows how many there are      (API, PORT)
//	shop api      stands between the others and the store        (STORE, PORT)
//	shop worker   carries out one order after the other          (API)
//	shop store    keeps the numbers in a file                    (DIR, PORT)
//	shop healthcheck    exits 0 if the server in this container answers
//	shop lookup NAME... prints the addresses of names
//
// It is static and needs nothing beside it, so that it runs in an empty image.
package main
