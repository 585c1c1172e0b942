package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/musterhq/muster/cluster"
)

// MaxFileSize bounds a configuration file, in bytes.
const MaxFileSize = 1 << 20

// unknownKey is how the decoder says that a key stands for nothing.
var unknownKey = regexp.MustCompile(`field (\S+) not found in type`)

// Load reads the YAML file at path over the defaults. A key that is not a
// setting is an error that names it. The result is not validated: settings from
// elsewhere may still replace some.
func Load(path string) (Config, error) {
	content, err := readFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read the agent's configuration: %w", err)
	}
	c, err := parse(content)
	if err != nil {
		return Config{}, fmt.Errorf("read the agent's configuration: %s: %w", path, err)
	}
	return c, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > MaxFileSize:
		return nil, fmt.Errorf("%s is larger than %s", path, cluster.FormatBytes(MaxFileSize))
	}
	return content, nil
}

func parse(content []byte) (Config, error) {
	c := Default()
	loader, err := yaml.NewLoader(bytes.NewReader(content), yaml.WithKnownFields())
	if err != nil {
		return Config{}, err
	}
	err = loader.Load(&c)
	var faults *yaml.LoadErrors
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return c, nil
	case errors.As(err, &faults) && len(faults.Errors) > 0:
		return Config{}, explain(faults.Errors[0])
	}
	return Config{}, err
}

// explain says which key is wrong, in the user's terms.
func explain(fault *yaml.LoadError) error {
	if m := unknownKey.FindStringSubmatch(fault.Message); m != nil {
		return cluster.Invalid(m[1], fmt.Sprintf("is not a setting (line %d)", fault.Mark.Line), hint(m[1]))
	}
	return fmt.Errorf("line %d: %s", fault.Mark.Line, fault.Message)
}

// hint guesses the key that was meant; the command line's spelling is the
// likeliest mistake.
func hint(key string) string {
	folded := strings.ReplaceAll(strings.ToLower(key), "-", "_")
	for _, known := range Keys() {
		if folded == known || folded+"s" == known {
			return fmt.Sprintf("did you mean %q?", known)
		}
	}
	return "the settings are " + strings.Join(Keys(), ", ")
}
