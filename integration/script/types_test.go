package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/coder/websocket"

	"github.com/musterhq/muster/api"
)

// answers are the types of the API's answers, as its package lists them.
var answers = map[string]func() any{
	"GET /v1/version":                              func() any { return new(api.Version) },
	"GET /v1/status":                               func() any { return new(api.Status) },
	"GET /v1/nodes":                                func() any { return new([]api.Node) },
	"GET /v1/nodes/{node}":                         func() any { return new(api.NodeDetail) },
	"DELETE /v1/nodes/{node}":                      func() any { return new(struct{}) },
	"POST /v1/nodes/{node}/availability":           func() any { return new(api.NodeDetail) },
	"POST /v1/nodes/{node}/labels":                 func() any { return new(api.NodeDetail) },
	"GET /v1/tokens":                               func() any { return new([]api.Token) },
	"POST /v1/tokens":                              func() any { return new(api.NewToken) },
	"DELETE /v1/tokens/{id}":                       func() any { return new(struct{}) },
	"GET /v1/settings":                             func() any { return new(api.Settings) },
	"POST /v1/settings":                            func() any { return new(api.Settings) },
	"GET /v1/networks":                             func() any { return new([]api.Network) },
	"GET /v1/networks/{stack}/{network}":           func() any { return new(api.NetworkDetail) },
	"GET /v1/trust":                                func() any { return new(api.TrustStatus) },
	"POST /v1/ca/rotate":                           func() any { return new(api.TrustStatus) },
	"POST /v1/key/rotate":                          func() any { return new(api.TrustStatus) },
	"PUT /v1/stacks/{stack}":                       func() any { return new(api.Deployed) },
	"POST /v1/stacks/{stack}/plan":                 func() any { return new(api.Plan) },
	"GET /v1/stacks/{stack}":                       func() any { return new(api.StackStatus) },
	"DELETE /v1/stacks/{stack}":                    func() any { return new(api.Deployed) },
	"GET /v1/services":                             func() any { return new([]api.Service) },
	"GET /v1/services/{stack}/{service}":           func() any { return new(api.ServiceDetail) },
	"POST /v1/services/{stack}/{service}/scale":    func() any { return new(api.Deployed) },
	"POST /v1/services/{stack}/{service}/restart":  func() any { return new(api.Deployed) },
	"POST /v1/services/{stack}/{service}/rollback": func() any { return new(api.Deployed) },
	"POST /v1/services/{stack}/{service}/redirect": func() any { return new(api.Deployed) },
	"POST /v1/services/{stack}/{service}/promote":  func() any { return new(api.Deployed) },
	"GET /v1/services/{stack}/{service}/history":   func() any { return new([]api.Generation) },
	"GET /v1/tasks":                                func() any { return new([]api.Task) },
	"GET /v1/tasks/{task}":                         func() any { return new(api.TaskDetail) },
	"GET /v1/tasks/{task}/why":                     func() any { return new(api.Why) },
	"GET /v1/services/{stack}/{service}/why":       func() any { return new(api.ServiceWhy) },
	"POST /v1/rebalance":                           func() any { return new(api.RebalancePlan) },
	"POST /v1/moves":                               func() any { return new(api.Moving) },
	"GET /v1/recording":                            func() any { return new(api.Recording) },
	"POST /v1/simulate":                            func() any { return new(api.Simulation) },
	"GET /v1/doctor":                               func() any { return new([]api.Finding) },
	"GET /v1/local/doctor":                         func() any { return new([]api.Finding) },
	"GET /v1/usage":                                func() any { return new([]api.TaskUsage) },
	"GET /v1/logs":                                 func() any { return new(api.LogLine) },
	"GET /v1/events":                               func() any { return new(api.Event) },
	"GET /v1/images":                               func() any { return new([]api.Image) },
	"POST /v1/images/push":                         func() any { return new(api.PushProgress) },
	"POST /v1/images/prune":                        func() any { return new(api.PrunedImages) },
	"POST /v1/images/build":                        func() any { return new(api.BuildLine) },
	"GET /v1/local":                                func() any { return new(api.Local) },
	"POST /v1/init":                                func() any { return new(api.Initialised) },
	"POST /v1/join":                                func() any { return new(api.Joined) },
	"POST /v1/leave":                               func() any { return new(struct{}) },
}

// conforms reports whether every value in content is of the type that the API
// answers the call with, and has no name that the type has not.
func conforms(r *http.Request, content []byte) error {
	if strings.HasPrefix(r.URL.Path, "/v1/exec/") {
		return nil
	}
	mux := http.NewServeMux()
	for route := range answers {
		mux.Handle(route, http.NotFoundHandler())
	}
	_, route := mux.Handler(r)
	if route == "" {
		return fmt.Errorf("the API has no call %s %s", r.Method, r.URL.Path)
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	for {
		if err := d.Decode(answers[route]()); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the file is no answer to %s: %w", route, err)
		}
	}
}

// playExec sends frames as a script writes them, one a line: "stdout hello",
// "exit 3". A line "stdin" waits for the end of input and sends it back.
func playExec(w http.ResponseWriter, r *http.Request, script string) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	for line := range strings.Lines(script) {
		verb, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		var frame []byte
		switch verb {
		case "stdout":
			frame = append([]byte{api.ExecStdout}, rest+"\n"...)
		case "stderr":
			frame = append([]byte{api.ExecStderr}, rest+"\n"...)
		case "stdin":
			frame = append([]byte{api.ExecStdout}, readInput(r, conn)...)
		case "exit":
			code, _ := strconv.Atoi(rest)
			frame = append([]byte{api.ExecExit}, strconv.Itoa(code)...)
		case "error":
			e, _ := json.Marshal(api.Errorf(api.CodeUnavailable, "%s", rest))
			frame = append([]byte{api.ExecError}, e...)
		}
		if conn.Write(r.Context(), websocket.MessageBinary, frame) != nil {
			return
		}
	}
}

func readInput(r *http.Request, conn *websocket.Conn) []byte {
	var input []byte
	for {
		_, message, err := conn.Read(r.Context())
		if err != nil || len(message) == 0 || message[0] == api.ExecEOF {
			return input
		}
		if message[0] == api.ExecStdin {
			input = append(input, message[1:]...)
		}
	}
}
