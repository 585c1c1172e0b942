package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/musterhq/muster/api"
)

// recorded is a simulation's source besides the cluster.
type recorded struct {
	state string // a file to read, or ""
	save  string // a file to write, or ""
}

// simulate answers from the file, from what it has written to one, or else has
// the cluster answer.
func (c *CLI) simulate(ctx context.Context, from recorded, in api.Simulate) (api.Simulation, error) {
	if from.state != "" {
		r, err := readRecording(from.state)
		if err != nil {
			return api.Simulation{}, err
		}
		return c.Simulate(ctx, r, in)
	}
	cl, err := c.connect()
	if err != nil {
		return api.Simulation{}, err
	}
	if from.save == "" {
		return cl.Simulate(ctx, in)
	}
	r, err := cl.Recording(ctx)
	if err != nil {
		return api.Simulation{}, err
	}
	if err := writeRecording(from.save, r); err != nil {
		return api.Simulation{}, err
	}
	return c.Simulate(ctx, r, in)
}

// writeRecording makes a file that its owner alone reads: there is no secret in
// it, but much of how the cluster is built.
func writeRecording(path string, r api.Recording) error {
	return keep(path, "the recording", "--save", r)
}

func readRecording(path string) (r api.Recording, err error) {
	f, err := os.Open(path)
	if err != nil {
		return r, fmt.Errorf("read the recording: %w; make one with: muster simulate --save FILE", err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("%s is no recording of this version: %w; make one with: muster simulate --save FILE", path, err)
	}
	return r, nil
}
