package doctor

import (
	"fmt"

	"github.com/musterhq/muster/api"
)

// report gathers the findings of one node.
type report struct {
	node string
	out  []api.Finding
}

func (r *report) add(status, name, advice, found string) {
	r.out = append(r.out, api.Finding{Name: name, Node: r.node, Status: status, Found: found, Advice: advice})
}

func (r *report) ok(name, format string, args ...any) {
	r.add(api.CheckOK, name, "", fmt.Sprintf(format, args...))
}

func (r *report) warn(name, advice, format string, args ...any) {
	r.add(api.CheckWarn, name, advice, fmt.Sprintf(format, args...))
}

func (r *report) fail(name, advice, format string, args ...any) {
	r.add(api.CheckFail, name, advice, fmt.Sprintf(format, args...))
}

// NoAnswer is the finding about a node whose agent could not be asked.
func NoAnswer(node, why string) api.Finding {
	return api.Finding{
		Name: "agent", Node: node, Status: api.CheckFail, Found: "does not answer: " + why,
		Advice: "on " + node + ": sudo systemctl status muster; and see what the other nodes say of their way to it",
	}
}

// Failed reports whether a check failed.
func Failed(findings []api.Finding) bool {
	for _, f := range findings {
		if f.Status == api.CheckFail {
			return true
		}
	}
	return false
}
