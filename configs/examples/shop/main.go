package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// askLimit is how long one service waits for another.
const askLimit = 2 * time.Second

func main() {
	log.SetFlags(0)
	log.SetPrefix("shop: ")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	verb := ""
	if len(os.Args) > 1 {
		verb = os.Args[1]
	}
	if err := run(ctx, verb); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, verb string) error {
	switch verb {
	case "web":
		return serve(ctx, web{api: env("API", "http://api:8080")}.routes())
	case "api":
		return serve(ctx, proxy{store: env("STORE", "http://store:8080")}.routes())
	case "store":
		s, err := openStore(env("DIR", "/data"))
		if err != nil {
			return err
		}
		return serve(ctx, s.routes())
	case "worker":
		return work(ctx, env("API", "http://api:8080"))
	case "lookup":
		return lookup(ctx, os.Args[2:])
	case "healthcheck":
		_, err := ask(ctx, http.MethodGet, "http://127.0.0.1:"+env("PORT", "8080")+"/healthz")
		return err
	}
	return fmt.Errorf("unknown verb %q: it is web, api, worker, store, healthcheck or lookup", verb)
}

// lookup prints the addresses of names.
func lookup(ctx context.Context, names []string) error {
	for _, name := range names {
		addresses, err := net.DefaultResolver.LookupHost(ctx, name)
		if err != nil {
			return err
		}
		fmt.Println(name, addresses)
	}
	return nil
}

// serve answers until ctx ends, and then what is under way.
func serve(ctx context.Context, mux *http.ServeMux) error {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Addr: ":" + env("PORT", "8080"), Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	if err := server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// host is this container's.
func host() string {
	name, _ := os.Hostname()
	return name
}
