package security

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

const (
	identityFile   = "identity.pem"
	clusterKeyFile = "cluster.key"
	tempSuffix     = ".tmp"

	pemClusterKey = "MUSTER CLUSTER KEY"
)

// SaveIdentity writes the identity into dir (mode 0600), atomically and durably.
func SaveIdentity(dir string, id *Identity) error {
	data, err := id.marshal()
	if err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	if err := writeFile(dir, identityFile, data); err != nil {
		return fmt.Errorf("save identity in %s: %w", dir, err)
	}
	return nil
}

// LoadIdentity reads what [SaveIdentity] wrote. A host that is not a member
// gets an error that matches [fs.ErrNotExist].
func LoadIdentity(dir string) (*Identity, error) {
	data, err := readFile(dir, identityFile)
	if err != nil {
		return nil, fmt.Errorf("load identity: %w", err)
	}
	id, err := unmarshalIdentity(data)
	if err != nil {
		return nil, fmt.Errorf("load identity from %s/%s: %w", dir, identityFile, err)
	}
	return id, nil
}

// SaveClusterKey writes the cluster key into dir (mode 0600), atomically and
// durably. Only voters keep it.
func SaveClusterKey(dir string, key ClusterKey) error {
	data := pem.EncodeToMemory(&pem.Block{Type: pemClusterKey, Bytes: key.secret[:]})
	if err := writeFile(dir, clusterKeyFile, data); err != nil {
		return fmt.Errorf("save cluster key in %s: %w", dir, err)
	}
	return nil
}

// LoadClusterKey reads what [SaveClusterKey] wrote. A host without one gets
// an error that matches [fs.ErrNotExist].
func LoadClusterKey(dir string) (ClusterKey, error) {
	data, err := readFile(dir, clusterKeyFile)
	if err != nil {
		return ClusterKey{}, fmt.Errorf("load cluster key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil || block.Type != pemClusterKey {
		return ClusterKey{}, fmt.Errorf("load cluster key: %s/%s holds no cluster key", dir, clusterKeyFile)
	}
	return ParseClusterKey(block.Bytes)
}

// RemoveClusterKey deletes the cluster key of a host that is no longer a
// voter. It is not an error when there is none.
func RemoveClusterKey(dir string) error {
	if err := removeFiles(dir, clusterKeyFile); err != nil {
		return fmt.Errorf("remove cluster key: %w", err)
	}
	return nil
}

// Wipe deletes the identity and the cluster key. It is not an error when
// there is none.
func Wipe(dir string) error {
	if err := removeFiles(dir, identityFile, clusterKeyFile); err != nil {
		return fmt.Errorf("wipe identity: %w", err)
	}
	return nil
}

func readFile(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.ReadFile(name)
}

// writeFile replaces name in dir: after a crash there is the old content or
// the new one, never a part.
func writeFile(dir, name string, data []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := writeTemp(root, name+tempSuffix, data); err != nil {
		return err
	}
	if err := root.Rename(name+tempSuffix, name); err != nil {
		return err
	}
	return syncDir(root)
}

func writeTemp(root *os.Root, name string, data []byte) error {
	// Removed first: a left-over file would keep its own mode.
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func removeFiles(dir string, names ...string) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range names {
		for _, n := range []string{name, name + tempSuffix} {
			if err := root.Remove(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return syncDir(root)
}

func syncDir(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
