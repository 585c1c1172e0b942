package state

import (
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
)

type envelope struct {
	Kind    Kind            `cbor:"1,keyasint"`
	Version int             `cbor:"2,keyasint"`
	Request string          `cbor:"3,keyasint,omitempty"`
	At      time.Time       `cbor:"4,keyasint"`
	Body    cbor.RawMessage `cbor:"5,keyasint"`
}

var (
	encMode = func() cbor.EncMode {
		o := cbor.CanonicalEncOptions()
		o.Time = cbor.TimeRFC3339NanoUTC
		m, err := o.EncMode()
		if err != nil {
			panic(err) // options are constant
		}
		return m
	}()
	decMode = func() cbor.DecMode {
		m, err := cbor.DecOptions{MaxArrayElements: 1 << 21, MaxMapPairs: 1 << 20, MaxNestedLevels: 32}.DecMode()
		if err != nil {
			panic(err) // options are constant
		}
		return m
	}()
)

func (c Command) version() int { return max(c.Version, Needs(c.Body)) }

// Encode writes a command for the log.
func Encode(c Command) ([]byte, error) {
	body, err := encMode.Marshal(c.Body)
	if err != nil {
		return nil, fmt.Errorf("encode command %d: %w", c.Body.Kind(), err)
	}
	out, err := encMode.Marshal(envelope{Kind: c.Body.Kind(), Version: c.version(), Request: c.Request, At: c.At, Body: body})
	if err != nil {
		return nil, fmt.Errorf("encode command %d: %w", c.Body.Kind(), err)
	}
	return out, nil
}

// VersionOf is the version of an encoded command, 0 when that cannot be read.
func VersionOf(b []byte) int {
	var e envelope
	if decMode.Unmarshal(b, &e) != nil {
		return 0
	}
	return e.Version
}

// Decode reads a command of the log. It refuses kinds and versions that this
// binary does not know.
func Decode(b []byte) (Command, error) {
	var e envelope
	if err := decMode.Unmarshal(b, &e); err != nil {
		return Command{}, fmt.Errorf("decode command: %w", err)
	}
	if e.Version < 1 || e.Version > Version {
		return Command{}, fmt.Errorf("command %d has version %d, this version of muster knows up to %d", e.Kind, e.Version, Version)
	}
	body, err := newBody(e.Kind)
	if err != nil {
		return Command{}, err
	}
	if err := decMode.Unmarshal(e.Body, body); err != nil {
		return Command{}, fmt.Errorf("decode command %d: %w", e.Kind, err)
	}
	return Command{Request: e.Request, At: e.At, Body: body, Version: e.Version}, nil
}
