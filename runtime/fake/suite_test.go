package fake_test

import (
	"context"
	"io"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/musterhq/muster/runtime"
	"github.com/musterhq/muster/runtime/fake"
	"github.com/musterhq/muster/runtime/runtimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSuite(t *testing.T) {
	runtimetest.Run(t, func(*testing.T) (runtime.Driver, runtimetest.Fixture) {
		d := fake.New(fake.Config{Behave: testProgram})
		return d, runtimetest.Fixture{Cluster: "C1", Image: d.AddImage("suite:latest")}
	})
}

// testProgram behaves as the suite's image does.
func testProgram(c runtime.Create) fake.Behaviour {
	b := fake.Behaviour{StopTakes: 10 * time.Millisecond, HealthyAfter: 10 * time.Millisecond}
	b.Exec = func(ctx context.Context, e fake.Exec) int {
		switch e.Cmd[1] {
		case "interfaces":
			_, _ = io.WriteString(e.Stdout, runtimetest.Interfaces(c.Networks...))
			return 0
		case "stat":
		default:
			return command(ctx, e)
		}
		if slices.ContainsFunc(c.Devices, func(d runtime.Device) bool { return slices.Contains(d.Paths, e.Cmd[2]) }) {
			return 0
		}
		return 1
	}
	switch c.Spec.Command[0] {
	case "serve":
		b.Output = []fake.Line{{Stream: "stdout", Text: "ready"}, {Stream: "stderr", Text: "listening to signals"}}
	case "stubborn":
		b.StopTakes = time.Hour
		b.Output = []fake.Line{{Stream: "stdout", Text: "ready"}}
	case "exit":
		b.ExitAfter = time.Millisecond
		b.ExitCode, _ = strconv.Atoi(c.Spec.Command[1])
	}
	if h := c.Spec.Healthcheck; h != nil && h.Test[2] == "exit" {
		b.HealthyAfter = -b.HealthyAfter
	}
	return b
}

func command(_ context.Context, e fake.Exec) int {
	switch e.Cmd[1] {
	case "cat":
		if _, err := io.Copy(e.Stdout, e.Stdin); err != nil {
			return 1
		}
	case "exit":
		code, _ := strconv.Atoi(e.Cmd[2])
		return code
	}
	return 0
}
