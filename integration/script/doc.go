// Package script holds the command line to its word: transcripts of real runs,
// with their output and exit codes, against an agent that answers from files.
//
// It owns what users and scripts see: messages, tables, JSON names, exit codes.
// It may not know how an agent works; every answer is checked to be one of the
// API's types.
//
// Start with testdata/deploy.txtar, then stub_test.go: the answer to GET
// /v1/nodes is the file api/GET/v1/nodes.json, or nodes.1.json, nodes.2.json and
// so on where it changes.
package script
