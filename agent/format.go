package agent

import (
	"fmt"
	"path/filepath"
	"sync"
)

// dirFormat numbers the layout of the data directory. A change that an older
// agent would not understand makes it grow.
const dirFormat = 1

const formatFile = "format"

// format says what a data directory needs of the binary that opens it, and who
// had it last. Directories from before there was one need nothing.
type format struct {
	Format   int    `json:"format"`
	Commands int    `json:"commands"` // the newest version in this node's part of the log
	Muster   string `json:"muster"`
}

// claim makes sure that this binary understands the directory, before anything
// else is read or written, and records that it is the last that had it. known
// is the newest version of commands that it applies. before is the version
// that had the directory, "" when nobody says.
func (d *dataDir) claim(muster string, known int) (before string, err error) {
	f := format{}
	if _, err := d.readJSON(formatFile, &f); err != nil {
		return "", err
	}
	if f.Format > dirFormat || f.Commands > known {
		return "", fmt.Errorf("open the data directory %s: muster %s left it in format %d with commands of version %d, and this is muster %s, which knows format %d and version %d; "+
			"nothing was changed: run muster %s or a newer one, or remove the directory, have another node run `muster node rm`, and join again",
			d.path, f.Muster, f.Format, f.Commands, muster, dirFormat, known, f.Muster)
	}
	d.format.now = format{Format: dirFormat, Commands: f.Commands, Muster: muster}
	if d.format.now == f {
		return f.Muster, nil
	}
	return f.Muster, d.writeJSON(formatFile, d.format.now)
}

// formatOf is the format as it is on disk.
type formatOf struct {
	mu  sync.Mutex
	now format
}

// raise records that the log needs a version, before it does.
func (d *dataDir) raise(commands int) error {
	return d.setCommands(func(now int) int { return max(now, commands) })
}

// lower records that there is no log any more.
func (d *dataDir) lower() error { return d.setCommands(func(int) int { return 0 }) }

func (d *dataDir) setCommands(next func(now int) int) error {
	d.format.mu.Lock()
	defer d.format.mu.Unlock()
	f := d.format.now
	if f.Commands = next(f.Commands); f == d.format.now {
		return nil
	}
	if err := d.writeJSON(formatFile, f); err != nil {
		return fmt.Errorf("record what %s needs: %w", filepath.Join(d.path, "consensus"), err)
	}
	d.format.now = f
	return nil
}
