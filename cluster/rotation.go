package cluster

import "time"

// RotationPhase is a step of a rotation. No node is ever without the key or authority
// that another one uses:
//
//	            every ready node holds both         every ready node follows
//	(begin) --> install ----------------------> retire --------------------> (end)
//	            the old one in use              the new one in use,
//	                                            the old one still good
type RotationPhase string

// Phases of a rotation.
const (
	Install RotationPhase = "install"
	Retire  RotationPhase = "retire"
)

// CARotation is an authority on its way in or out.
type CARotation struct {
	Phase RotationPhase `cbor:"1,keyasint" json:"phase"`
	CA    []byte        `cbor:"2,keyasint" json:"ca"`                      // PEM; of the new one, then of the old one
	Key   *Sealed       `cbor:"3,keyasint,omitempty" json:"key,omitempty"` // of the new one; the old one's is dropped
	Since time.Time     `cbor:"4,keyasint" json:"since"`                   // of the phase
}

// GossipRotation is a gossip key on its way in or out.
type GossipRotation struct {
	Phase RotationPhase `cbor:"1,keyasint" json:"phase"`
	Key   Sealed        `cbor:"2,keyasint" json:"key"` // the new one, then the old one
	Since time.Time     `cbor:"3,keyasint" json:"since"`
}

// SignsSince is since when the authority signs.
func (i *Identity) SignsSince() time.Time { return orCreated(i.CASince, i.Created) }

// EncryptsSince is since when the gossip key encrypts.
func (i *Identity) EncryptsSince() time.Time { return orCreated(i.GossipSince, i.Created) }

func orCreated(since, created time.Time) time.Time {
	if since.IsZero() {
		return created
	}
	return since
}
