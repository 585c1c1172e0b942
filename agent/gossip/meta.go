package gossip

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/hashicorp/memberlist"
)

// Meta is what a member says of itself in every membership message. It is a
// claim: rights are looked up in replicated state.
type Meta struct {
	ClusterID   string `cbor:"1,keyasint"`
	APIPort     uint16 `cbor:"2,keyasint,omitempty"`
	Voter       bool   `cbor:"3,keyasint,omitempty"`
	Version     string `cbor:"4,keyasint,omitempty"` // of the program
	Leader      string `cbor:"5,keyasint,omitempty"` // node ID, a hint for hosts that know no voter
	Incarnation uint64 `cbor:"6,keyasint,omitempty"` // grows with every start of the agent
}

var metaDecoder = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:       cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels: 4,
		MaxMapPairs:     64,
		// Fields of newer versions are ignored, so that versions can mix.
		ExtraReturnErrors: cbor.ExtraDecErrorNone,
	}.DecMode()
	if err != nil {
		panic("gossip: " + err.Error()) // constant options
	}
	return mode
}()

// encodeMeta fails when the result is beyond memberlist's limit of 512 bytes.
func encodeMeta(m Meta) ([]byte, error) {
	data, err := cbor.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode gossip metadata: %w", err)
	}
	if len(data) > memberlist.MetaMaxSize {
		return nil, fmt.Errorf("encode gossip metadata: %d bytes, the limit is %d", len(data), memberlist.MetaMaxSize)
	}
	return data, nil
}

func decodeMeta(data []byte) (Meta, error) {
	var m Meta
	if len(data) > memberlist.MetaMaxSize {
		return Meta{}, fmt.Errorf("decode gossip metadata: %d bytes, the limit is %d", len(data), memberlist.MetaMaxSize)
	}
	if err := metaDecoder.Unmarshal(data, &m); err != nil {
		return Meta{}, fmt.Errorf("decode gossip metadata: %w", err)
	}
	return m, nil
}
