package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"strings"
)

// dialSSH connects through `muster dial-stdio` on another host. The user's own
// ssh does the rest: keys, agents, jump hosts, ~/.ssh/config.
func dialSSH(u *url.URL) (func(context.Context) (net.Conn, error), error) {
	args, err := sshArgs(u)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (net.Conn, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return startCommand(u.Redacted(), exec.Command("ssh", args...))
	}, nil
}

// sshArgs are ssh's arguments for an address. What ssh could take for an option
// is refused, and what the other host's shell reads is quoted.
func sshArgs(u *url.URL) ([]string, error) {
	host, user := u.Hostname(), u.User.Username()
	_, password := u.User.Password()
	switch {
	case host == "":
		return nil, errors.New("the address names no host; write it as ssh://user@host")
	case password:
		return nil, fmt.Errorf("the address ssh://%s has a password in it; use a key, or let ssh ask", host)
	case strings.HasPrefix(host, "-") || strings.HasPrefix(user, "-"):
		return nil, fmt.Errorf("the address %s begins a name with a hyphen", u.Redacted())
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("the address %s has more than a host and a path", u.Redacted())
	}
	var args []string
	if user != "" {
		args = append(args, "-l", user)
	}
	if port := u.Port(); port != "" {
		args = append(args, "-p", port)
	}
	args = append(args, "-T", "-o", "ConnectTimeout=10", "--", host, "muster")
	if p := u.Path; p != "" && p != "/" {
		args = append(args, "-H", quote("unix://"+p))
	}
	return append(args, "dial-stdio"), nil
}

// quote makes s one word of a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
