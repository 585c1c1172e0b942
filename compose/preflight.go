package compose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Bounds of a document. A file within MaxFileSize can still stand for much
// more: aliases repeat what they point at.
const (
	maxNodes = 100_000 // after expansion
	maxDepth = 100
)

// preflight refuses documents that would grow or nest beyond the bounds, before
// anything expands them. It blanks the obsolete attribute version in content,
// which the loader would complain of on standard error, and reports whether
// there was one.
func preflight(content []byte) (obsolete bool, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var versions []*yaml.Node
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, fmt.Errorf("it is not YAML: %w", err)
		}
		c := counter{counted: make(map[*yaml.Node]int)}
		if _, err := c.count(&doc, 0); err != nil {
			return false, err
		}
		if key := versionKey(&doc); key != nil {
			versions = append(versions, key)
		}
	}
	for _, key := range versions {
		blankLine(content, key.Line)
	}
	return len(versions) > 0, nil
}

// counter counts the nodes that a document stands for once its aliases are
// expanded.
type counter struct {
	counted map[*yaml.Node]int // -1 while under way
}

// count returns the expanded size of n.
func (c *counter) count(n *yaml.Node, depth int) (int, error) {
	if depth > maxDepth {
		return 0, fmt.Errorf("line %d: it nests deeper than %d levels", n.Line, maxDepth)
	}
	if size, ok := c.counted[n]; ok {
		if size < 0 {
			return 0, fmt.Errorf("line %d: an alias refers to what it is part of", n.Line)
		}
		return size, nil
	}
	c.counted[n] = -1
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!float" && strings.ContainsAny(n.Value, "nN") {
		return 0, fmt.Errorf("line %d: %s is not a number that a field can have", n.Line, n.Value) // not a number, or infinite
	}
	children := n.Content
	if n.Kind == yaml.AliasNode {
		children = []*yaml.Node{n.Alias}
	}
	size := 1
	for _, child := range children {
		m, err := c.count(child, depth+1)
		if err != nil {
			return 0, err
		}
		if size += m; size > maxNodes {
			return 0, fmt.Errorf("line %d: it stands for more than %d values; use fewer aliases", n.Line, maxNodes)
		}
	}
	c.counted[n] = size
	return size, nil
}

// versionKey finds the key version of a document that is written as a block
// with the value on the same line; nil where there is none.
func versionKey(doc *yaml.Node) *yaml.Node {
	if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode || root.Style&yaml.FlowStyle != 0 {
		return nil
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if key.Value != "version" || key.Column != 1 {
			continue
		}
		if value.Kind == yaml.ScalarNode && value.Line == key.Line && value.Anchor == "" && value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
			return key
		}
	}
	return nil
}

// blankLine overwrites a line, counted from 1, with spaces.
func blankLine(content []byte, line int) {
	for i := 0; i < len(content) && line > 0; i++ {
		switch {
		case content[i] == '\n':
			line--
		case line == 1 && content[i] != '\r':
			content[i] = ' '
		}
	}
}
