package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// numbers are all that there is to know.
type numbers struct {
	Orders int    `json:"orders"`
	Done   int    `json:"done"`
	Store  string `json:"store"` // the container that keeps them
	API    string `json:"api"`   // the one that asked for them
}

// ask has another service's answer.
func ask(ctx context.Context, method, url string) (n numbers, err error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return n, err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return n, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	switch {
	case err != nil:
		return n, err
	case answer.StatusCode != http.StatusOK:
		return n, fmt.Errorf("%s %s: %s: %s", method, url, answer.Status, body)
	case answer.Header.Get("Content-Type") == "application/json":
		err = json.Unmarshal(body, &n)
	}
	return n, err
}

func tell(w http.ResponseWriter, n numbers, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(n)
}

// web is the front page.
type web struct{ api string }

func (s web) routes() *http.ServeMux {
	mux := http.NewServeMux()
	page := func(w http.ResponseWriter, r *http.Request, method, path string) {
		n, err := ask(r.Context(), method, s.api+path)
		if err != nil {
			http.Error(w, "the shop is closed: "+err.Error(), http.StatusBadGateway)
			return
		}
		fmt.Fprintf(w, "orders=%d done=%d web=%s api=%s store=%s\n", n.Orders, n.Done, host(), n.API, n.Store)
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { page(w, r, http.MethodGet, "/numbers") })
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) { page(w, r, http.MethodPost, "/orders") })
	return mux
}

// proxy is the API: only it reaches the store.
type proxy struct{ store string }

func (s proxy) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, path := range []string{"GET /numbers", "POST /orders", "POST /done"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			n, err := ask(r.Context(), r.Method, s.store+r.URL.Path)
			n.API = host()
			tell(w, n, err)
		})
	}
	return mux
}

// work carries out an order whenever there is one.
func work(ctx context.Context, api string) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := ask(ctx, http.MethodGet, api+"/numbers")
		if err == nil && n.Done < n.Orders {
			_, err = ask(ctx, http.MethodPost, api+"/done")
		}
		if err != nil && ctx.Err() == nil {
			log.Print(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// store keeps the numbers in a file.
type store struct {
	path string
	mu   sync.Mutex
	n    numbers
}

func openStore(dir string) (*store, error) {
	s := &store{path: filepath.Join(dir, "numbers.json")}
	raw, err := os.ReadFile(s.path)
	if err == nil {
		err = json.Unmarshal(raw, &s.n)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return s, nil
}

func (s *store) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for path, change := range map[string]func(*numbers){
		"GET /numbers": func(*numbers) {},
		"POST /orders": func(n *numbers) { n.Orders++ },
		"POST /done":   func(n *numbers) { n.Done = min(n.Done+1, n.Orders) },
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			n, err := s.change(change)
			tell(w, n, err)
		})
	}
	return mux
}

// change is on disk when it returns.
func (s *store) change(change func(*numbers)) (numbers, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.n
	change(&n)
	n.Store = host()
	if n.Orders != s.n.Orders || n.Done != s.n.Done {
		raw, err := json.Marshal(n)
		if err == nil {
			err = os.WriteFile(s.path+".new", raw, 0o600)
		}
		if err == nil {
			err = os.Rename(s.path+".new", s.path)
		}
		if err != nil {
			return n, fmt.Errorf("write the numbers: %w", err)
		}
	}
	s.n = n
	return n, nil
}
