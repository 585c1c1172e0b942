package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/musterhq/muster/cli/paint"
)

// format is how a read is printed.
type format string

const (
	formatTable format = "table"
	formatWide  format = "wide"
	formatJSON  format = "json"
	formatYAML  format = "yaml"
)

var formats = []string{string(formatTable), string(formatWide), string(formatJSON), string(formatYAML)}

// Set makes *format a flag's value.
func (f *format) Set(s string) error {
	if !slices.Contains(formats, s) {
		return fmt.Errorf("use one of %s", strings.Join(formats, ", "))
	}
	*f = format(s)
	return nil
}

func (f *format) String() string { return string(*f) }

// Type names the value in a verb's help.
func (f *format) Type() string { return strings.Join(formats, "|") }

// output is what every read takes.
type output struct {
	format format
	quiet  bool
}

func (o *output) register(cmd *cobra.Command, quiet string) {
	o.format = formatTable
	cmd.Flags().VarP(&o.format, "output", "o", "how to print")
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, quiet)
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// column is one property of the things in a list.
type column[T any] struct {
	title string
	wide  bool // in -o wide only
	text  func(T) string
	style func(T) paint.Style // nil: plain
}

// list prints things in the format asked for: JSON is the API's own, quiet is
// one id a line.
func list[T any](c *CLI, o output, items []T, id func(T) string, columns []column[T]) error {
	switch {
	case o.quiet:
		for _, item := range items {
			c.printf("%s", id(item))
		}
		return nil
	case o.format == formatJSON || o.format == formatYAML:
		if items == nil {
			items = []T{}
		}
		return encode(c.Stdout, o.format, items)
	}
	if o.format == formatTable {
		columns = slices.DeleteFunc(slices.Clone(columns), func(col column[T]) bool { return col.wide })
	}
	return tabulate(c, items, columns).write(c.Stdout)
}

// tabulate makes a table of things, with titles.
func tabulate[T any](c *CLI, items []T, columns []column[T]) *table {
	t := &table{color: c.color(c.Stdout)}
	var titles []cell
	for _, col := range columns {
		titles = append(titles, cell{text: col.title})
	}
	t.add(titles...)
	for _, item := range items {
		row := make([]cell, len(columns))
		for i, col := range columns {
			row[i].text = col.text(item)
			if col.style != nil {
				row[i].style = col.style(item)
			}
		}
		t.add(row...)
	}
	return t
}

// detail prints one thing: text writes it for people.
func detail[T any](c *CLI, o output, item T, id string, text func(io.Writer) error) error {
	switch {
	case o.quiet:
		c.printf("%s", id)
		return nil
	case o.format == formatJSON || o.format == formatYAML:
		return encode(c.Stdout, o.format, item)
	}
	return text(c.Stdout)
}

// encode writes v with the names of its JSON form.
func encode(w io.Writer, f format, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	data := b.Bytes()
	if f == formatYAML {
		var err error
		if data, err = toYAML(data); err != nil {
			return fmt.Errorf("encode the answer: %w", err)
		}
	}
	_, err := w.Write(data)
	return err
}

// toYAML keeps the order of the fields: JSON is YAML in another style.
func toYAML(data []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Load(data, &doc); err != nil {
		return nil, err
	}
	blockStyle(&doc)
	return yaml.Dump(&doc, yaml.WithIndent(2))
}

// blockStyle leaves it to the writer which texts need quotes.
func blockStyle(n *yaml.Node) {
	n.Style = 0
	for _, child := range n.Content {
		blockStyle(child)
	}
}

// encodeLine writes one value of a stream: JSON on one line, or a document of
// YAML.
func encodeLine(w io.Writer, f format, v any) error {
	if f == formatYAML {
		if _, err := io.WriteString(w, "---\n"); err != nil {
			return err
		}
		return encode(w, f, v)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
