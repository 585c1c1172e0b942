package filter

import (
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// tableName is of our tables, in every family.
const tableName = "muster"

// ruleset is all that our tables hold, by family: IPv4's, and IPv6's where there
// is something in it.
type ruleset []table

// table is one nftables table as it is to be.
type table struct {
	family nftables.TableFamily
	sets   []set
	chains []chain
}

// set is a set, or a map where it has data. Elements are the bytes that the kernel
// compares, with the bytes (or the name of the chain) that they lead to.
type set struct {
	name     string
	key      []field
	data     []field
	interval bool
	elements map[string]string
}

// chain is a list of rules, which packets come to from a hook or from another one.
type chain struct {
	name  string
	hook  *hook // nil: from other chains
	rules []rule
}

// hook is where in a packet's way a chain stands.
type hook struct {
	text     string
	kind     nftables.ChainType
	at       *nftables.ChainHook
	priority nftables.ChainPriority
}

// rule is statements that a packet passes from the first to the last, or to the
// first that it does not match.
type rule []statement

// statement is a part of a rule, in nft's words and as the kernel takes it. One
// text has one meaning: rules are compared by it.
type statement struct {
	text  string
	exprs []expr.Any
}

func (r rule) text() string {
	words := make([]string, len(r))
	for i, s := range r {
		words[i] = s.text
	}
	return strings.Join(words, " ")
}

func (r rule) exprs() []expr.Any {
	var out []expr.Any
	for _, s := range r {
		out = append(out, s.exprs...)
	}
	return out
}

func (c chain) text() string {
	var b strings.Builder
	if c.hook != nil {
		b.WriteString(c.hook.text + "\n")
	}
	for _, r := range c.rules {
		b.WriteString(r.text() + "\n")
	}
	return b.String()
}

func (s set) isVerdictMap() bool { return len(s.data) == 1 && s.data[0].kind == verdict.kind }
