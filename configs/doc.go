// Package configs is what an agent is told at its start: the settings, their
// defaults, their rules, and the file they can be read from.
//
// It owns the names of the settings. It may not know who uses them, nor how
// the command line spells them (cli). A setting comes from the command line,
// else from the environment, else from the file, else from Default; this
// package does the last two.
//
// Start with Config, then Load. The example file agent.yaml explains every key;
// systemd/ holds the unit.
package configs
