package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/nftables"
)

// String writes the ruleset in nft's words.
func (r ruleset) String() string {
	var b strings.Builder
	for _, t := range r {
		fmt.Fprintf(&b, "table %s %s {\n", familyName(t.family), tableName)
		for _, s := range t.sets {
			s.write(&b)
		}
		for _, c := range t.chains {
			fmt.Fprintf(&b, "\tchain %s {\n", c.name)
			for line := range strings.Lines(c.text()) {
				b.WriteString("\t\t" + line)
			}
			b.WriteString("\t}\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func familyName(f nftables.TableFamily) string {
	if f == nftables.TableFamilyIPv6 {
		return "ip6"
	}
	return "ip"
}

func (s set) write(b *strings.Builder) {
	word, types := "set", typesOf(s.key)
	if len(s.data) > 0 {
		word, types = "map", types+" : "+typesOf(s.data)
	}
	fmt.Fprintf(b, "\t%s %s {\n\t\ttype %s\n", word, s.name, types)
	if s.interval {
		b.WriteString("\t\tflags interval\n")
	}
	for _, k := range slices.Sorted(maps.Keys(s.elements)) {
		line, to := show(s.key, k), s.elements[k]
		switch {
		case to == intervalEnd:
			line = "before " + line
		case s.interval:
			line = "from " + line
		case len(s.data) > 0:
			line += " : " + show(s.data, to)
		}
		b.WriteString("\t\t" + line + "\n")
	}
	b.WriteString("\t}\n")
}

func typesOf(fields []field) string {
	var names []string
	for _, f := range fields {
		names = append(names, f.kind.Name)
	}
	return strings.Join(names, " . ")
}
