package filter

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Statements that end a rule.
var (
	drop       = statement{"drop", []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}}
	accept     = statement{"accept", []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}}
	pass       = statement{"return", []expr.Any{&expr.Verdict{Kind: expr.VerdictReturn}}}
	masquerade = statement{"masquerade", []expr.Any{&expr.Masq{}}}
	reset      = statement{"reject with tcp reset", []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}}}
	refuse     = statement{"reject with icmp port-unreachable", []expr.Any{
		&expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: icmpPortUnreachable},
	}}
)

// icmpPortUnreachable is the code of RFC 792.
const icmpPortUnreachable = 3

// is matches packets of which a field has the value.
func is(f field, value []byte) statement { return compare(f, expr.CmpOpEq, "", value) }

// isNot matches packets of which a field has another value.
func isNot(f field, value []byte) statement { return compare(f, expr.CmpOpNeq, "!= ", value) }

func compare(f field, op expr.CmpOp, sign string, value []byte) statement {
	return statement{
		fmt.Sprintf("%s %s%s", f.text, sign, f.show(value)),
		[]expr.Any{f.load(register0), &expr.Cmp{Op: op, Register: register0, Data: value}},
	}
}

// within matches packets of which an address is in the range.
func within(f field, r netip.Prefix) statement {
	mask := binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-r.Bits()))
	return statement{fmt.Sprintf("%s %s", f.text, r.Masked()), []expr.Any{
		f.load(register0),
		&expr.Bitwise{SourceRegister: register0, DestRegister: register0, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register0, Data: r.Masked().Addr().AsSlice()},
	}}
}

// in matches packets whose fields are in a set.
func in(name string, fields ...field) statement { return lookup(name, "", false, fields) }

// notIn matches those whose are not.
func notIn(name string, fields ...field) statement { return lookup(name, "!= ", true, fields) }

func lookup(name, sign string, invert bool, fields []field) statement {
	text, exprs := load(fields)
	return statement{
		fmt.Sprintf("%s %s@%s", text, sign, name),
		append(exprs, &expr.Lookup{SourceRegister: register0, SetName: name, Invert: invert}),
	}
}

// jumpBy goes to the chain that a map leads to from the fields; a packet that the
// map does not know goes on.
func jumpBy(name string, fields ...field) statement {
	text, exprs := load(fields)
	return statement{
		fmt.Sprintf("%s vmap @%s", text, name),
		append(exprs, &expr.Lookup{SourceRegister: register0, SetName: name, DestRegister: verdictRegister, IsDestRegSet: true}),
	}
}

// sendTo gives packets the destination that a map leads to from the fields: an
// address, or an address and a port. One that the map does not know goes on.
func sendTo(name string, withPort bool, fields ...field) statement {
	text, exprs := load(fields)
	nat := &expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: register0}
	if withPort {
		nat.RegProtoMin = register0 + 1
	}
	return statement{
		fmt.Sprintf("dnat to %s map @%s", text, name),
		append(exprs, &expr.Lookup{SourceRegister: register0, SetName: name, DestRegister: register0, IsDestRegSet: true}, nat),
	}
}

// load puts fields into registers, one after the other.
func load(fields []field) (text string, exprs []expr.Any) {
	var words []string
	register := uint32(register0)
	for _, f := range fields {
		words = append(words, f.text)
		exprs = append(exprs, f.load(register))
		register += uint32(f.registers())
	}
	return strings.Join(words, " . "), exprs
}

// toThisHost matches packets to an address of this host.
func toThisHost() statement {
	return statement{"fib daddr type local", []expr.Any{
		&expr.Fib{Register: register0, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register0, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)},
	}}
}

// known matches packets of connections that were let through before.
func known() statement {
	mask := expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED
	return statement{"ct state established,related", []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: register0},
		&expr.Bitwise{
			SourceRegister: register0, DestRegister: register0, Len: registerBytes,
			Mask: binaryutil.NativeEndian.PutUint32(mask), Xor: make([]byte, registerBytes),
		},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: register0, Data: make([]byte, registerBytes)},
	}}
}
