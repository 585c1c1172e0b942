package server

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// maxBuildLine is where a line of a build's output is broken, in bytes.
const maxBuildLine = 64 << 10

// buildImage builds the context in the request's body on this host's engine
// and streams what the build prints; the last line has the image's ID, or the
// error that ended it.
func buildImage(c *call) (any, error) {
	b, err := buildRequest(c.r)
	if err != nil {
		return nil, err
	}
	engine, ok := c.Engine.(Builder)
	if !ok {
		return nil, api.Errorf(api.CodeInvalid, "the container engine of this node cannot build images").
			WithHint("build on another host and run `muster image push` there")
	}
	// Over HTTP/1 the output begins before the context has been read.
	_ = http.NewResponseController(c.w).EnableFullDuplex()
	out := &buildOutput{lines: c.lines()}
	last := api.BuildLine{}
	if last.ID, err = engine.Build(c.ctx, b, c.r.Body, out); err != nil {
		last = api.BuildLine{Error: err.Error()}
	}
	out.flush()
	_ = out.lines.send(last) // the caller is gone: nobody to tell
	return streamed, nil
}

func buildRequest(r *http.Request) (runtime.Build, error) {
	q := r.URL.Query()
	b := runtime.Build{Tag: q.Get("tag"), Dockerfile: q.Get("dockerfile"), Target: q.Get("target"), Args: map[string]string{}}
	w, err := parseImage("tag", b.Tag)
	if err != nil {
		return b, err
	}
	if w.tag() == "" {
		return b, cluster.Invalid("tag", "is a digest", "give the image a name, such as web:1")
	}
	if b.Dockerfile == "" {
		b.Dockerfile = "Dockerfile"
	}
	for _, a := range q["arg"] {
		k, v, ok := strings.Cut(a, "=")
		if !ok || k == "" {
			return b, cluster.Invalid("arg", "\""+a+"\" has no value", "write it as NAME=value")
		}
		b.Args[k] = v
	}
	return b, nil
}

// buildOutput sends each line of a build as it is completed.
type buildOutput struct {
	lines *lines
	rest  []byte
}

func (o *buildOutput) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		head, tail, ended := bytes.Cut(rest, []byte("\n"))
		o.rest = append(o.rest, head...)
		if ended || len(o.rest) >= maxBuildLine {
			if err := o.send(); err != nil {
				return 0, err
			}
		}
		rest = tail
	}
	return len(p), nil
}

func (o *buildOutput) send() error {
	line := strings.TrimRight(string(o.rest), "\r")
	o.rest = o.rest[:0]
	return o.lines.send(api.BuildLine{Line: line})
}

func (o *buildOutput) flush() {
	if len(o.rest) > 0 {
		_ = o.send() // the caller is gone: nobody to tell
	}
}
