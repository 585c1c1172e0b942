package cluster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxSignal is the largest signal number of Linux (SIGRTMAX).
const maxSignal = 64

// signals are the names that signal(7) gives for Linux, without "SIG".
var signals = []string{
	"ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
	"PROF", "PWR", "QUIT", "RTMAX", "RTMIN", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
	"UNUSED", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
}

// validateSignal accepts what the engine does: "SIGTERM", "TERM", "15",
// "SIGRTMIN+3", "SIGRTMAX-1"; empty is the image's own.
func validateSignal(field, s string) error {
	if s == "" || knownSignal(s) {
		return nil
	}
	return Invalid(field, fmt.Sprintf("%q is not a signal", clip(s)), "use a name such as SIGTERM or a number between 1 and 64")
}

func knownSignal(s string) bool {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil {
		return n >= 1 && n <= maxSignal
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	for _, prefix := range []string{"RTMIN+", "RTMAX-"} {
		if offset, ok := strings.CutPrefix(name, prefix); ok {
			n, err := strconv.ParseUint(offset, 10, 8)
			return err == nil && n <= 30
		}
	}
	return slices.Contains(signals, name)
}
