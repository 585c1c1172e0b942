// Package runtimetest holds the one suite that every runtime.Driver passes, so
// that the fake stays as the real engine is.
//
// It owns what the port's comments promise, as tests, and an image without a
// registry to test with (BuildImage). It may not know any driver: their tests
// call Run. Start with Run.
package runtimetest
