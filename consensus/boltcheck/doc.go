// Package boltcheck reads through a bbolt file without trusting it.
//
// It owns the knowledge of bolt's page format that it takes to say "every page
// in use is what it should be". Bolt itself cannot say so of a damaged file: it
// follows page numbers in circles, faults on what lies behind the file's end,
// and rebuilds its list of free pages in a goroutine whose panic nobody can
// recover. It may not know what the keys mean, nor write.
//
// Start with Walk.
package boltcheck
