// Command hello is the example service: a small HTTP server that says who
// answers, and that can be told to be slow, to crash, and to be stubborn.
//
//	hello [-port N] [-crash-after D] [-ignore-term]
//	hello healthcheck      exits 0 if the server in this container answers
//
// It is static and needs nothing beside it, so that it runs in an empty image.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// drainTime is how long requests that are under way may take after SIGTERM.
const drainTime = 3 * time.Second

func main() {
	log.SetFlags(0)
	log.SetPrefix("hello: ")
	port := flag.String("port", env("PORT", "80"), "TCP port to listen on (PORT)")
	crashAfter := flag.Duration("crash-after", 0, "exit with status 1 after this time")
	ignoreTerm := flag.Bool("ignore-term", false, "do not end on SIGTERM")
	flag.Parse()

	var err error
	switch flag.Arg(0) {
	case "":
		err = serve(*port, *crashAfter, *ignoreTerm)
	case "healthcheck":
		err = healthcheck(*port)
	default:
		err = fmt.Errorf("unknown command %q: it is healthcheck or nothing", flag.Arg(0))
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(port string, crashAfter time.Duration, ignoreTerm bool) error {
	ctx := context.Background()
	if ignoreTerm {
		signal.Ignore(syscall.SIGTERM)
	} else {
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
		defer stop()
	}
	if crashAfter > 0 {
		time.AfterFunc(crashAfter, func() { log.Fatalf("crash after %v, as asked", crashAfter) })
	}
	server := &http.Server{Addr: ":" + port, Handler: routes(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	log.Printf("version %s listens on port %s", env("HELLO_VERSION", "dev"), port)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Print("asked to end")
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", hello)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, _ *http.Request) {
		for _, variable := range os.Environ() {
			fmt.Fprintln(w, variable)
		}
	})
	mux.HandleFunc("GET /slow", slow)
	return mux
}

// hello answers one line that names the container, task and node.
func hello(w http.ResponseWriter, _ *http.Request) {
	host, _ := os.Hostname()
	fmt.Fprintf(w, "hello host=%s task=%s node=%s version=%s\n",
		host, env("MUSTER_TASK", host), env("MUSTER_NODE_NAME", host), env("HELLO_VERSION", "dev"))
}

// slow answers as hello does, after the time d (a Go duration, default 1s).
func slow(w http.ResponseWriter, r *http.Request) {
	d := time.Second
	if v := r.FormValue("d"); v != "" {
		var err error
		if d, err = time.ParseDuration(v); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	select {
	case <-time.After(d):
		hello(w, r)
	case <-r.Context().Done():
	}
}

func healthcheck(port string) error {
	client := http.Client{Timeout: 2 * time.Second}
	resp, err := client.Get("http://127.0.0.1:" + port + "/healthz")
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answered %s", resp.Status)
	}
	return nil
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}
