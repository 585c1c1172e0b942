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
	w.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Header: w.header,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: req,
	}, nil
}

// ownAnswer is an http.ResponseWriter that keeps what it is given.
type ownAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *ownAnswer) Header() http.Header { return w.header }

func (w *ownAnswer) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *ownAnswer) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}
