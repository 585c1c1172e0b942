package agent

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/security"
)

const (
	gossipKeyFile = "gossip.key"
	trustFile     = "trust.json"
)

// trustOnDisk is what trust.json holds.
type trustOnDisk struct {
	Version uint64 `json:"version"`
}

// writeTrust keeps the gossip keys, then their version: after a crash between
// the two they are fetched again.
func (d *dataDir) writeTrust(t api.Trust) error {
	if err := d.write(gossipKeyFile, slices.Concat(t.GossipKeys...)); err != nil {
		return err
	}
	return d.writeJSON(trustFile, trustOnDisk{Version: t.Version})
}

func (d *dataDir) trustVersion() (uint64, error) {
	var t trustOnDisk
	_, err := d.readJSON(trustFile, &t)
	return t.Version, err
}

// gossipKeys are the keys that were written last, the one that encrypts first.
func (d *dataDir) gossipKeys() ([][]byte, error) {
	raw, err := d.read(gossipKeyFile)
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 || len(raw)%security.GossipKeyLen != 0 {
		return nil, fmt.Errorf("read %s: %d bytes are no gossip keys; restore the file, or remove the data directory and join again",
			filepath.Join(d.path, gossipKeyFile), len(raw))
	}
	return slices.Collect(slices.Chunk(raw, security.GossipKeyLen)), nil
}
