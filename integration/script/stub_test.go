package script

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/musterhq/muster/api"
)

// stub is an agent that answers from files and writes down what it was asked.
type stub struct {
	dir   string
	mu    sync.Mutex
	calls map[string]int
	log   *os.File
}

// startStub serves dir/api on a unix socket and logs to dir/requests.log.
func startStub(socket, dir string) (stop func() error, err error) {
	log, err := os.Create(filepath.Join(dir, "requests.log"))
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: &stub{dir: filepath.Join(dir, "api"), calls: map[string]int{}, log: log}}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	return func() error {
		err := server.Close()
		if e := <-served; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return errors.Join(err, log.Close())
	}, nil
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.write(r); err != nil {
		fail(w, api.Errorf(api.CodeInternal, "the stub: %v", err))
		return
	}
	content, err := s.answer(r)
	var refused *api.Error
	switch {
	case errors.As(err, &refused):
		fail(w, refused)
	case err != nil:
		fail(w, api.Errorf(api.CodeInternal, "the stub: %v", err))
	case strings.HasPrefix(r.URL.Path, "/v1/exec/"):
		playExec(w, r, string(content))
	default:
		if bytes.Contains(content, []byte(`"stale": true`)) {
			w.Header().Set(api.StaleHeader, "true")
		}
		_, _ = w.Write(content)
		if r.URL.Query().Get("follow") == "1" {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}
}

func fail(w http.ResponseWriter, e *api.Error) {
	w.WriteHeader(e.Status())
	_ = json.NewEncoder(w).Encode(api.ErrorBody{Error: e})
}

// answer finds the next file for a call, and checks that it holds what the API
// says; the last one of a sequence is repeated.
func (s *stub) answer(r *http.Request) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	base := filepath.Join(s.dir, r.Method, filepath.FromSlash(r.URL.Path))
	n := s.calls[base] + 1
	content, err := os.ReadFile(fmt.Sprintf("%s.%d.json", base, n))
	if err == nil {
		s.calls[base] = n
	} else if n > 1 {
		content, err = os.ReadFile(fmt.Sprintf("%s.%d.json", base, n-1))
	} else {
		content, err = os.ReadFile(base + ".json")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, api.Errorf(api.CodeNotFound, "there is no %s", filepath.Base(base))
	}
	if err != nil {
		return nil, err
	}
	var b api.ErrorBody
	if json.Unmarshal(content, &b) == nil && b.Error != nil && b.Error.Code != "" {
		return nil, b.Error
	}
	return content, conforms(r, content)
}

var requestID = regexp.MustCompile(`(request(?:=|":"))[0-9A-Z]{26}`)

// write logs a call in one line; the request ID, which no two runs share, and
// what a tar archive holds stand for the body.
func (s *stub) write(r *http.Request) error {
	line := r.Method + " " + requestID.ReplaceAllString(r.URL.RequestURI(), "${1}ID")
	if r.Header.Get("Content-Type") == "application/x-tar" {
		names, err := tarNames(r.Body)
		if err != nil {
			return err
		}
		line += " tar: " + strings.Join(names, " ")
	} else {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		if len(body) > 0 {
			line += " " + requestID.ReplaceAllString(string(body), "${1}ID")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := fmt.Fprintln(s.log, line)
	return err
}

func tarNames(r io.Reader) ([]string, error) {
	var names []string
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		names = append(names, h.Name)
	}
}
