package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	verb, args := "serve", os.Args[1:]
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	if err := run(verb, args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(verb string, args []string) error {
	switch verb {
	case "serve": // until SIGTERM
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGTERM)
		fmt.Println("ready")
		fmt.Fprintln(os.Stderr, "listening to signals")
		<-ended
		return nil
	case "stubborn": // until SIGKILL
		ignored := make(chan os.Signal, 1)
		signal.Notify(ignored, syscall.SIGTERM)
		fmt.Println("ready")
		for range ignored {
			fmt.Println("not yet")
		}
	case "exit": // CODE
		code, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		os.Exit(code)
	case "echo": // WORD...
		fmt.Println(strings.Join(args, " "))
		return nil
	case "cat": // standard input to standard output
		_, err := io.Copy(os.Stdout, os.Stdin)
		return err
	case "stat": // FILE
		_, err := os.Stat(args[0])
		return err
	case "interfaces":
		return interfaces()
	case "env": // NAME
		fmt.Println(os.Getenv(args[0]))
		return nil
	case "http": // ADDRESS; answers with the host's name
		return http.ListenAndServe(args[0], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			name, _ := os.Hostname()
			fmt.Fprintln(w, name)
		}))
	case "get": // URL
		answer, err := http.Get(args[0])
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	case "write": // FILE TEXT
		return os.WriteFile(args[0], []byte(args[1]), 0o600)
	case "read": // FILE
		data, err := os.ReadFile(args[0])
		os.Stdout.Write(data)
		return err
	}
	return fmt.Errorf("no such verb: %s", verb)
}
