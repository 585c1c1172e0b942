package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// keep writes a value as JSON into a file that its owner alone reads: all of it,
// or what was there stays. what and flag are for the error.
func keep(file, what, flag string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", what, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".muster-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w; name a file that can be written with %s", what, err, flag)
	}
	_, err = tmp.Write(append(data, '\n'))
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w; name a file that can be written with %s", what, err, flag), os.Remove(tmp.Name()))
	}
	return nil
}
