package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pires/go-proxyproto"
)

// drainTime is how long requests that are under way may take after SIGTERM.
const drainTime = 3 * time.Second

func main() {
	log.SetFlags(0)
	log.SetPrefix("hello: ")
	port := flag.String("port", env("PORT", "80"), "TCP port to listen on (PORT)")
	crashAfter := flag.Duration("crash-after", 0, "exit with status 1 after this time")
	ignoreTerm := flag.Bool("ignore-term", false, "do not end on SIGTERM")
	udp := flag.Bool("udp", false, "answer datagrams on the same port of UDP, too")
	proxied := flag.Bool("proxy-protocol", false, "take the client's address from a PROXY header where there is one")
	flag.Parse()

	var err error
	switch flag.Arg(0) {
	case "":
		var l net.Listener
		if l, err = listen(*port, *udp, *proxied); err == nil {
			err = serve(l, *crashAfter, *ignoreTerm)
		}
	case "healthcheck":
		err = healthcheck(*port)
	case "ask":
		err = ask(flag.Arg(1))
	case "lookup":
		err = lookup(flag.Arg(1))
	default:
		err = fmt.Errorf("unknown command %q: it is healthcheck, ask, lookup or nothing", flag.Arg(0))
	}
	if err != nil {
		log.Fatal(err)
	}
}

func listen(port string, udp, proxied bool) (net.Listener, error) {
	l, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return nil, err
	}
	if udp {
		conn, err := net.ListenPacket("udp", ":"+port)
		if err != nil {
			return nil, err
		}
		go answer(conn)
	}
	if proxied {
		optional := func(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) { return proxyproto.USE, nil }
		return &proxyproto.Listener{Listener: l, ConnPolicy: optional}, nil
	}
	return l, nil
}

// answer says hello to whoever sends a datagram.
func answer(conn net.PacketConn) {
	buf := make([]byte, 64<<10)
	for {
		_, from, err := conn.ReadFrom(buf)
		if err != nil {
			log.Fatal(err)
		}
		_, _ = conn.WriteTo([]byte(greeting(from.String())), from) // or it is lost
	}
}

func serve(l net.Listener, crashAfter time.Duration, ignoreTerm bool) error {
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
	server := &http.Server{Handler: routes(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	log.Printf("version %s listens on port %d", env("HELLO_VERSION", "dev"), l.Addr().(*net.TCPAddr).Port)

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
	var sick atomic.Bool // until the container is restarted
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			http.Error(w, "sick, as asked", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /sick", func(w http.ResponseWriter, r *http.Request) {
		sick.Store(r.FormValue("on") != "false")
		hello(w, r)
	})
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, _ *http.Request) {
		for _, variable := range os.Environ() {
			fmt.Fprintln(w, variable)
		}
	})
	mux.HandleFunc("GET /slow", slow)
	return mux
}

func hello(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, greeting(r.RemoteAddr)) }

// greeting is one line that names the container, task and node, and who asks.
func greeting(from string) string {
	host, _ := os.Hostname()
	client, _, _ := net.SplitHostPort(from)
	return fmt.Sprintf("hello host=%s task=%s node=%s version=%s client=%s\n",
		host, env("MUSTER_TASK", host), env("MUSTER_NODE_NAME", host), env("HELLO_VERSION", "dev"), client)
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
