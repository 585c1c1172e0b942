package peer

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// serveOwn has a handler of this process answer a call to this node itself: the
// same rules apply as over a connection, without the connection.
func serveOwn(h http.Handler, req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler { //nolint:errorlint // net/http's own sentinel, compared as it does
			resp, err = nil, errors.New("the answer was broken off")
		} else if p != nil {
			panic(p)
		}
	}()
	if req.Body == nil {
		req.Body = http.NoBody
	}
	w := &ownAnswer{header: http.Header{}}
	h.ServeHTTP(w, req)
	return w.response(req), nil
}

// ownAnswer is an http.ResponseWriter that keeps what it is given.
type ownAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
	most   int // bytes of the body; 0: any number
}

func (w *ownAnswer) Header() http.Header { return w.header }

func (w *ownAnswer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *ownAnswer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.most > 0 && w.body.Len()+len(b) > w.most {
		return 0, errTooLong
	}
	return w.body.Write(b)
}

// response is what was written, as a client gets it.
func (w *ownAnswer) response(req *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: w.header,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: req,
	}
}

// send writes what was written as an answer over HTTP/1.1.
func (w *ownAnswer) send(req *http.Request, out io.Writer) error {
	resp := w.response(req)
	defer func() { _ = resp.Body.Close() }()
	return resp.Write(out)
}
