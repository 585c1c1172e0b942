package dataplane

import (
	"bufio"
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/lb"
	"github.com/musterhq/muster/lb/proxy"
)

// Table is all that a host serves. Of the tables of one node in one cluster the
// one of the later state counts; another node or cluster begins anew.
type Table struct {
	Cluster string         `cbor:"1,keyasint"`
	Node    cluster.NodeID `cbor:"2,keyasint"` // this host
	Input   lb.Input       `cbor:"3,keyasint"`
}

// sameHost reports whether both are tables of the same member of the same cluster.
func (t *Table) sameHost(o *Table) bool { return t.Cluster == o.Cluster && t.Node == o.Node }

// order is what an agent tells the data plane. Keys are never used again for
// something else: the two may be of different versions.
type order struct {
	Table   *Table `cbor:"1,keyasint,omitempty"`
	Replace string `cbor:"2,keyasint,omitempty"` // let the program at this path go on
	Clear   bool   `cbor:"3,keyasint,omitempty"` // this host is in no cluster: nothing is served
}

// report is what the data plane says of itself: whenever that changes, and every
// reportEvery at least.
type report struct {
	Version  string               `cbor:"1,keyasint"`
	Epoch    uint64               `cbor:"2,keyasint"` // of the table that is in effect
	Index    uint64               `cbor:"3,keyasint"`
	Problems []string             `cbor:"4,keyasint,omitempty"` // for people
	Stats    []proxy.ServiceStats `cbor:"5,keyasint,omitempty"`
}

// maxMessage bounds a message, in bytes: a table of ten thousand services with
// ten tasks each has a fifth of that.
const maxMessage = 64 << 20

var decoding = func() cbor.DecMode {
	m, err := cbor.DecOptions{MaxArrayElements: 1 << 21, MaxMapPairs: 1 << 16, MaxNestedLevels: 16}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
}()

// messages reads one message after the other.
type messages struct {
	limit *io.LimitedReader
	dec   *cbor.Decoder
}

func newMessages(r io.Reader) *messages {
	l := &io.LimitedReader{R: bufio.NewReader(r)}
	return &messages{limit: l, dec: decoding.NewDecoder(l)}
}

// next reads into v, which is zero.
func (m *messages) next(v any) error {
	m.limit.N = maxMessage
	err := m.dec.Decode(v)
	if err != nil && m.limit.N <= 0 {
		return fmt.Errorf("a message has more than %d bytes: %w", maxMessage, err)
	}
	return err
}
