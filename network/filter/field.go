package filter

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// register0 is the first of the kernel's registers of four bytes; 0 is the verdict.
const (
	register0       = unix.NFT_REG32_00
	verdictRegister = unix.NFT_REG_VERDICT
	registerBytes   = 4
)

// field is one value of a key or of what a key leads to, which fills whole
// registers.
type field struct {
	text string // nft's words for what is loaded
	kind nftables.SetDatatype
	load func(register uint32) expr.Any
	show func([]byte) string
}

// Fields of packets. A number is by chance, and below its modulus.
var (
	inputInterface  = field{"iifname", nftables.TypeIFName, meta(expr.MetaKeyIIFNAME), showName}
	outputInterface = field{"oifname", nftables.TypeIFName, meta(expr.MetaKeyOIFNAME), showName}
	source          = field{"ip saddr", nftables.TypeIPAddr, payload(expr.PayloadBaseNetworkHeader, 12, 4), showAddress}
	destination     = field{"ip daddr", nftables.TypeIPAddr, payload(expr.PayloadBaseNetworkHeader, 16, 4), showAddress}
	source6         = field{"ip6 saddr", nftables.TypeIP6Addr, payload(expr.PayloadBaseNetworkHeader, 8, 16), showAddress}
	protocol        = field{"meta l4proto", nftables.TypeInetProto, meta(expr.MetaKeyL4PROTO), showProtocol}
	port            = field{"th dport", nftables.TypeInetService, payload(expr.PayloadBaseTransportHeader, 2, 2), showPort}
	number          = numberBelow(0)

	verdict = field{"", nftables.TypeVerdict, nil, func(b []byte) string { return "goto " + string(b) }}
)

// numberBelow is a number by chance. Its type is that of marks: nft shows no key
// with plain integers.
func numberBelow(n int) field {
	return field{
		fmt.Sprintf("numgen random mod %d", n), nftables.TypeMark,
		func(r uint32) expr.Any {
			return &expr.Numgen{Register: r, Modulus: uint32(n), Type: unix.NFT_NG_RANDOM}
		},
		func(b []byte) string { return strconv.Itoa(int(binary.NativeEndian.Uint32(b))) },
	}
}

func meta(key expr.MetaKey) func(uint32) expr.Any {
	return func(r uint32) expr.Any { return &expr.Meta{Key: key, Register: r} }
}

func payload(base expr.PayloadBase, offset, length uint32) func(uint32) expr.Any {
	return func(r uint32) expr.Any {
		return &expr.Payload{DestRegister: r, Base: base, Offset: offset, Len: length}
	}
}

// registers is how many the field fills.
func (f field) registers() int { return int(f.kind.Bytes+registerBytes-1) / registerBytes }

// key joins values, each filled up to whole registers.
func key(values ...[]byte) string {
	var b []byte
	for _, v := range values {
		b = append(b, v...)
		b = append(b, make([]byte, (registerBytes-len(v)%registerBytes)%registerBytes)...)
	}
	return string(b)
}

func nameBytes(name string) []byte {
	return append([]byte(name), make([]byte, unix.IFNAMSIZ-len(name))...)
}

func numberBytes(n int) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(n)) }

func portBytes(p uint16) []byte { return binary.BigEndian.AppendUint16(nil, p) }

func protocolBytes(name string) []byte {
	if name == "udp" {
		return []byte{unix.IPPROTO_UDP}
	}
	return []byte{unix.IPPROTO_TCP}
}

func showName(b []byte) string { return strconv.Quote(strings.TrimRight(string(b), "\x00")) }

func showAddress(b []byte) string {
	a, _ := netip.AddrFromSlice(b)
	return a.String()
}

func showProtocol(b []byte) string {
	if b[0] == unix.IPPROTO_UDP {
		return "udp"
	}
	return "tcp"
}

func showPort(b []byte) string { return strconv.Itoa(int(binary.BigEndian.Uint16(b))) }

// show writes a key's values in nft's words.
func show(fields []field, k string) string {
	var words []string
	for _, f := range fields {
		if f.kind == verdict.kind {
			return f.show([]byte(k))
		}
		words = append(words, f.show([]byte(k[:f.kind.Bytes])))
		k = k[f.registers()*registerBytes:]
	}
	return strings.Join(words, " . ")
}

// beginOf is the number of a range's first address, and addressOf the bytes of the
// address with a number.
func beginOf(p netip.Prefix) uint32 {
	b := p.Masked().Addr().As4()
	return binary.BigEndian.Uint32(b[:])
}

func addressOf(n uint64) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }
