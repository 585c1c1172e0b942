package filter

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	mnl "github.com/mdlayher/netlink"
)

const (
	// socketBytes is room for a whole ruleset with 10,000 services, which goes to
	// the kernel in one piece, and for the answers.
	socketBytes = 64 << 20
	// perMessage is how many elements fit into one attribute (64 KiB).
	perMessage = 500
	// kernelTimeout is how long the kernel may take: it answers while it is called.
	kernelTimeout = 10 * time.Second
)

// kernel writes rulesets, each in one transaction: packets meet the old one or the
// new one.
type kernel struct {
	held ruleset // as it was written last; nil: unknown
	seal seal    // what the kernel said of it then
}

// write has the kernel hold the ruleset. What it holds already is left as it is,
// where that is known.
func (k *kernel) write(next ruleset) error {
	if k.held != nil {
		if done, err := k.update(next); done && err == nil {
			k.held = next
			return k.sealIt()
		}
	}
	k.held = nil
	if err := replace(next); err != nil {
		return err
	}
	k.held = next
	return k.sealIt()
}

// update writes what differs from what is held; done is false where it cannot.
func (k *kernel) update(next ruleset) (done bool, err error) {
	if len(k.held) != len(next) {
		return false, nil
	}
	var all []changes
	for i, t := range next {
		c, possible := changesBetween(k.held[i], t)
		if !possible {
			return false, nil
		}
		all = append(all, c)
	}
	b, err := newBatch()
	if err != nil {
		return true, err
	}
	for i, c := range all {
		b.change(next[i], c)
	}
	return true, b.send()
}

// replace writes the whole ruleset in place of whatever is there.
func replace(next ruleset) error {
	b, err := newBatch()
	if err != nil {
		return err
	}
	b.removeTables()
	for _, t := range next {
		b.add(t)
	}
	return b.send()
}

// remove leaves nothing of ours in the kernel.
func (k *kernel) remove() error {
	k.held = nil
	b, err := newBatch()
	if err != nil {
		return err
	}
	b.removeTables()
	return b.send()
}

// batch is one transaction.
type batch struct {
	conn *nftables.Conn
	err  error // the first
}

func newBatch() (*batch, error) {
	conn, err := nftables.New(nftables.WithSockOptions(prepareSocket))
	if err != nil {
		return nil, fmt.Errorf("open a socket to the packet filter: %w", err)
	}
	return &batch{conn: conn}, nil
}

func prepareSocket(c *mnl.Conn) error {
	// Only what is privileged may have so much, and nobody else writes rules.
	_ = c.SetWriteBuffer(socketBytes)
	_ = c.SetReadBuffer(socketBytes)
	return c.SetDeadline(time.Now().Add(kernelTimeout))
}

func (b *batch) send() error {
	if b.err != nil {
		return b.err
	}
	if err := b.conn.Flush(); err != nil {
		return fmt.Errorf("write the packet filter's rules: %w", err)
	}
	return nil
}

func (b *batch) note(err error) {
	if b.err == nil {
		b.err = err
	}
}

// removeTables adds each table first, because one that is not there cannot be
// removed.
func (b *batch) removeTables() {
	for _, f := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6} {
		if f == nftables.TableFamilyIPv6 && !hasIPv6Table() {
			continue
		}
		t := &nftables.Table{Family: f, Name: tableName}
		b.conn.AddTable(t)
		b.conn.DelTable(t)
	}
}

// hasIPv6Table spares kernels without IPv6 a table of it.
func hasIPv6Table() bool {
	c, err := nftables.New()
	if err != nil {
		return false
	}
	t, err := c.ListTableOfFamily(tableName, nftables.TableFamilyIPv6)
	return err == nil && t != nil
}

// add writes a table that is not there. Chains come first, because maps lead to
// them, and rules last, because they name the maps.
func (b *batch) add(t table) {
	in := b.conn.AddTable(&nftables.Table{Family: t.family, Name: tableName})
	for _, c := range t.chains {
		b.addChain(in, c)
	}
	for _, s := range t.sets {
		b.note(b.conn.AddSet(s.nft(in), nil))
		b.elements(b.conn.SetAddElements, s.nft(in), s, s.elements)
	}
	for _, c := range t.chains {
		b.addRules(in, c)
	}
}

// change writes what differs. Elements leave before others come in their places,
// and before the chains that they lead to.
func (b *batch) change(next table, c changes) {
	in := &nftables.Table{Family: next.family, Name: tableName}
	for _, n := range c.newChains {
		b.addChain(in, n)
		b.addRules(in, n)
	}
	for _, e := range c.elements {
		b.elements(b.conn.SetDeleteElements, e.set.nft(in), set{key: e.set.key}, e.leave)
		b.elements(b.conn.SetAddElements, e.set.nft(in), e.set, e.come)
	}
	for _, n := range c.changedChains {
		b.conn.FlushChain(&nftables.Chain{Table: in, Name: n.name})
		b.addRules(in, n)
	}
	for _, o := range c.goneChains {
		b.conn.FlushChain(&nftables.Chain{Table: in, Name: o.name})
		b.conn.DelChain(&nftables.Chain{Table: in, Name: o.name})
	}
}

func (b *batch) addChain(in *nftables.Table, c chain) {
	to := &nftables.Chain{Table: in, Name: c.name}
	if c.hook != nil {
		to.Type, to.Hooknum, to.Priority = c.hook.kind, c.hook.at, &c.hook.priority
	}
	b.conn.AddChain(to)
}

func (b *batch) addRules(in *nftables.Table, c chain) {
	for _, r := range c.rules {
		b.conn.AddRule(&nftables.Rule{Table: in, Chain: &nftables.Chain{Name: c.name}, Exprs: r.exprs()})
	}
}

// elements writes elements as the set's type has them, some at a time.
func (b *batch) elements(write func(*nftables.Set, []nftables.SetElement) error, to *nftables.Set, s set, all map[string]string) {
	keys := slices.Sorted(maps.Keys(all))
	for some := range slices.Chunk(keys, perMessage) {
		out := make([]nftables.SetElement, len(some))
		for i, k := range some {
			out[i] = s.element(k, all[k])
		}
		b.note(write(to, out))
	}
}

func (s set) element(k, to string) nftables.SetElement {
	e := nftables.SetElement{Key: []byte(k)}
	switch {
	case s.interval:
		e.IntervalEnd = to == intervalEnd
	case s.isVerdictMap():
		e.VerdictData = &expr.Verdict{Kind: expr.VerdictGoto, Chain: to}
	case len(s.data) > 0:
		e.Val = []byte(to)
	}
	return e
}

// nft is the set as the library names it, in a table.
func (s set) nft(in *nftables.Table) *nftables.Set {
	out := &nftables.Set{
		Table: in, Name: s.name, KeyType: typeOf(s.key), DataType: typeOf(s.data),
		IsMap: len(s.data) > 0, Interval: s.interval,
	}
	if len(s.key) == 1 && s.key[0].kind == nftables.TypeIFName {
		out.KeyByteOrder = binaryutil.NativeEndian // else nft shows no names
	}
	return out
}

func typeOf(fields []field) nftables.SetDatatype {
	switch len(fields) {
	case 0:
		return nftables.SetDatatype{}
	case 1:
		return fields[0].kind
	}
	kinds := make([]nftables.SetDatatype, len(fields))
	for i, f := range fields {
		kinds[i] = f.kind
	}
	return nftables.MustConcatSetType(kinds...)
}
