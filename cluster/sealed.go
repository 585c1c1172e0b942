package cluster

import "time"

// Sealed is a value encrypted under a cluster key that only voters hold. It is
// the only form in which a secret enters replicated state.
type Sealed struct {
	Key        string `cbor:"1,keyasint" json:"key"` // which cluster key
	Nonce      []byte `cbor:"2,keyasint" json:"nonce"`
	Ciphertext []byte `cbor:"3,keyasint" json:"ciphertext"`
}

// Identity is the cluster as a whole.
type Identity struct {
	ID        string    `cbor:"1,keyasint" json:"id"` // ULID
	Epoch     uint64    `cbor:"2,keyasint" json:"epoch"`
	CA        []byte    `cbor:"3,keyasint" json:"ca"` // PEM certificate of the authority that signs
	CAKey     Sealed    `cbor:"4,keyasint" json:"ca_key"`
	GossipKey Sealed    `cbor:"5,keyasint" json:"gossip_key"` // that encrypts
	Created   time.Time `cbor:"6,keyasint" json:"created"`

	// Trust numbers what every node must hold of the authorities and of the
	// gossip keys: it grows with each step of a rotation.
	Trust          uint64          `cbor:"7,keyasint,omitempty" since:"2" json:"trust,omitempty"`
	CARotation     *CARotation     `cbor:"8,keyasint,omitempty" since:"2" json:"ca_rotation,omitempty"`
	GossipRotation *GossipRotation `cbor:"9,keyasint,omitempty" since:"2" json:"gossip_rotation,omitempty"`
	// Since when the authority signs and the gossip key encrypts; zero: Created.
	CASince     time.Time `cbor:"10,keyasint,omitzero" since:"2" json:"ca_since,omitzero"`
	GossipSince time.Time `cbor:"11,keyasint,omitzero" since:"2" json:"gossip_since,omitzero"`
	// GossipExposed says that somebody who was removed knows the newest gossip key.
	GossipExposed bool `cbor:"12,keyasint,omitempty" since:"2" json:"gossip_exposed,omitempty"`
}

// Token lets hosts join; its secret is stored hashed.
type Token struct {
	ID         string    `cbor:"1,keyasint" json:"id"`
	SecretHash string    `cbor:"2,keyasint" json:"-"`
	Uses       int       `cbor:"3,keyasint" json:"uses"` // left
	Expires    time.Time `cbor:"4,keyasint" json:"expires"`
	Created    time.Time `cbor:"5,keyasint" json:"created"`
}
