package configs

import (
	"os"
	"testing"
)

func FuzzParse(f *testing.F) {
	example, err := os.ReadFile("agent.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("labels: {zone: [1]}\nport: 1e9\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > MaxFileSize {
			return
		}
		if c, err := parse(content); err == nil {
			_ = c.Validate() // it may be wrong, in words
		}
	})
}
