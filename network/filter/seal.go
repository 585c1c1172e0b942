package filter

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/nftables"
	mnl "github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// mostRead is how many elements of a set are read to see whether they are all there.
// The kernel finds the next ones by counting from the first: of 100,000 that takes
// it minutes. Of a set that is larger one sees only that it is there.
const mostRead = 2000

// seal is how one tells that somebody else has changed our tables.
type seal struct {
	// generation is the packet filter's, which grows with every transaction of
	// anybody; 0: it is to be looked at again whatever the number is.
	generation uint32
	// rules is of all chains, rules and sets without their elements.
	rules [sha256.Size]byte
}

// sealIt notes what the kernel says of a ruleset that was just written. Elements
// are not read, because there may be many: the next check does it.
func (k *kernel) sealIt() error {
	rules, err := rulesDigest(k.held)
	k.seal = seal{rules: rules}
	return err
}

// intact reports whether the kernel holds what was written last. It costs one
// question while nobody has changed anything.
func (k *kernel) intact() (bool, error) {
	if k.held == nil {
		return false, nil
	}
	now, err := generation()
	if err != nil || now == k.seal.generation {
		return err == nil, err
	}
	rules, err := rulesDigest(k.held)
	if err != nil || rules != k.seal.rules {
		return false, err
	}
	for _, t := range k.held {
		if same, err := elementsAreThere(t); !same {
			return false, err
		}
	}
	k.seal.generation = now
	return true, nil
}

// generation asks for the number of the packet filter's last transaction.
func generation() (uint32, error) {
	all, err := ask(unix.NFT_MSG_GETGEN, 0, nftables.TableFamilyUnspecified, nil)
	if err != nil {
		return 0, err
	}
	for _, m := range all {
		attrs, err := mnl.NewAttributeDecoder(m)
		if err != nil {
			return 0, fmt.Errorf("read the packet filter's generation: %w", err)
		}
		attrs.ByteOrder = binary.BigEndian
		for attrs.Next() {
			if attrs.Type() == unix.NFTA_GEN_ID {
				return attrs.Uint32(), nil
			}
		}
	}
	return 0, fmt.Errorf("read the packet filter's generation: the kernel did not tell it")
}

// rulesDigest is of what the kernel lists of our tables.
func rulesDigest(r ruleset) ([sha256.Size]byte, error) {
	var text bytes.Buffer
	for _, t := range r {
		for _, kind := range []int{unix.NFT_MSG_GETCHAIN, unix.NFT_MSG_GETRULE, unix.NFT_MSG_GETSET} {
			// What lists chains does not filter them by table.
			all, err := ask(kind, mnl.Dump, t.family, []mnl.Attribute{{Type: unix.NFTA_RULE_TABLE, Data: []byte(tableName + "\x00")}})
			if err != nil {
				return [sha256.Size]byte{}, err
			}
			for _, m := range all {
				if isOurs(m) {
					_ = binary.Write(&text, binary.BigEndian, uint32(len(m))) // a buffer takes all
					text.Write(m)
				}
			}
		}
	}
	return sha256.Sum256(text.Bytes()), nil
}

// isOurs reports whether a chain, rule or set is in a table of ours: its name is
// their first attribute.
func isOurs(m []byte) bool {
	attrs, err := mnl.NewAttributeDecoder(m)
	return err == nil && attrs.Next() && attrs.Type() == unix.NFTA_RULE_TABLE && attrs.String() == tableName
}

// ask lists objects of the packet filter, each as its attributes.
func ask(kind int, flags mnl.HeaderFlags, family nftables.TableFamily, attrs []mnl.Attribute) ([][]byte, error) {
	conn, err := mnl.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open a socket to the packet filter: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(kernelTimeout)); err != nil {
		return nil, fmt.Errorf("open a socket to the packet filter: %w", err)
	}
	data, err := mnl.MarshalAttributes(attrs)
	if err != nil {
		return nil, fmt.Errorf("ask the packet filter: %w", err)
	}
	all, err := conn.Execute(mnl.Message{
		Header: mnl.Header{Type: mnl.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind), Flags: mnl.Request | flags},
		Data:   append([]byte{byte(family), unix.NFNETLINK_V0, 0, 0}, data...),
	})
	if err != nil {
		return nil, fmt.Errorf("ask the packet filter: %w", err)
	}
	var out [][]byte
	for _, m := range all {
		if len(m.Data) >= 4 { // of family, version, and the number of a generation
			out = append(out, m.Data[4:])
		}
	}
	return out, nil
}

// elementsAreThere reports whether the kernel's sets hold what the table says.
func elementsAreThere(t table) (bool, error) {
	conn, err := nftables.New(nftables.WithSockOptions(prepareSocket))
	if err != nil {
		return false, fmt.Errorf("open a socket to the packet filter: %w", err)
	}
	in := &nftables.Table{Family: t.family, Name: tableName}
	for _, s := range t.sets {
		if len(s.elements) > mostRead {
			continue
		}
		there, err := conn.GetSetElements(s.nft(in))
		if err != nil {
			return false, fmt.Errorf("read the packet filter's set %s: %w", s.name, err)
		}
		if len(there) != len(s.elements) || !s.holds(there) {
			return false, nil
		}
	}
	return true, nil
}

// holds reports whether every element is one of the set's.
func (s set) holds(there []nftables.SetElement) bool {
	for _, e := range there {
		to, ok := s.elements[string(e.Key)]
		switch {
		case !ok:
			return false
		case s.interval:
			ok = e.IntervalEnd == (to == intervalEnd)
		case s.isVerdictMap():
			ok = bytes.Contains(e.Val, []byte(to+"\x00"))
		default:
			ok = string(e.Val) == to
		}
		if !ok {
			return false
		}
	}
	return true
}
