package muster_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/musterhq/muster/cli"
)

// documents are all Markdown files of the repository, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		docs[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeSpan   = regexp.MustCompile("`[^`\n]*`")
	heading    = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	notInSlugs = regexp.MustCompile(`[^a-z0-9 -]`)
)

// TestLinks follows every link from a document to a file of the repository, and
// to a heading in it.
func TestLinks(t *testing.T) {
	docs := documents(t)
	for path, text := range docs {
		for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), filepath.FromSlash(file))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the link %s leads nowhere", path, m[1])
				continue
			}
			if anchor != "" && !slices.Contains(slugs(docs[target]), anchor) {
				t.Errorf("%s: %s has no heading for the link %s", path, target, m[1])
			}
		}
	}
}

// slugs are the anchors of a document's headings.
func slugs(text string) []string {
	var out []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		out = append(out, strings.ReplaceAll(notInSlugs.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return out
}

// verbLine is a verb in a help text. Flags begin with a hyphen, and examples
// have one space behind their first word.
var verbLine = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*) {2,}\S`)

// verbs are the command line's, those that hold others left out: "node drain".
func verbs(t *testing.T, group ...string) []string {
	t.Helper()
	var help bytes.Buffer
	c := cli.New(cli.Deps{Stdout: &help, Stderr: &help, Env: func(string) (string, bool) { return "", false }})
	if code := c.Run(t.Context(), append([]string{"help"}, group...)); code != 0 {
		t.Fatalf("muster help %v: exit code %d: %s", group, code, &help)
	}
	var out []string
	for _, m := range verbLine.FindAllStringSubmatch(help.String(), -1) {
		path := append(slices.Clone(group), m[1])
		if under := verbs(t, path...); len(under) > 0 && m[1] != "completion" {
			out = append(out, under...)
		} else {
			out = append(out, strings.Join(path, " "))
		}
	}
	return out
}

// command is a verb, and perhaps the verb under it, in a code span or an
// indented block.
var command = regexp.MustCompile("(?m)(?:`|^ {4}.*?)\\bmuster ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?")

// TestVerbsAreDocumented holds the documents to the command line: every verb is
// named in one, and none names a verb that is not there.
func TestVerbsAreDocumented(t *testing.T) {
	known := verbs(t)
	if len(known) < 20 {
		t.Fatalf("the help shows only %q", known)
	}
	docs := documents(t)
	var all strings.Builder
	for path, text := range docs {
		all.WriteString(text)
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			grouped := slices.ContainsFunc(known, func(v string) bool { return strings.HasPrefix(v, m[1]+" ") })
			if !slices.Contains(known, m[1]) && !grouped || grouped && m[2] != "" && !slices.Contains(known, m[1]+" "+m[2]) {
				t.Errorf("%s: there is no verb %q", path, strings.TrimSpace(m[1]+" "+m[2]))
			}
		}
	}
	for _, v := range known {
		if !strings.Contains(all.String(), "`"+v+"`") {
			t.Errorf("no document names the verb `%s`", v)
		}
	}
}

// TestPackagesSayWhatTheyAre wants a doc.go in every package; one that is a
// single file carries its comment itself.
func TestPackagesSayWhatTheyAre(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-f", `{{.ImportPath}}|{{join .GoFiles " "}}|{{.Doc}}`, "./...")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, rest, _ := strings.Cut(strings.TrimSpace(line), "|")
		files, doc, _ := strings.Cut(rest, "|")
		switch names := strings.Fields(files); {
		case len(names) == 0: // tests alone
		case doc == "":
			t.Errorf("%s has no package comment", path)
		case len(names) > 1 && !slices.Contains(names, "doc.go"):
			t.Errorf("%s has no doc.go", path)
		}
	}
}
