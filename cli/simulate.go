package cli

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cli/paint"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/configs"
)

const simulateHelp = `Answers what would follow if all of this happened now: which tasks would move,
start or stop, on which nodes, what would not fit and why, and how many more hosts
the cluster would survive. The cluster's own code decides; nothing takes effect.
Without flags it looks at the cluster as it is. With --save all of that is written
to a file, from which --state answers later or elsewhere, without a cluster.`

func (c *CLI) newSimulate() *cobra.Command {
	var o output
	var in api.Simulate
	var add []string
	var file string
	var from recorded
	cmd := &cobra.Command{
		Use:   "simulate [--kill NODE] [--drain NODE] [--add CPUSxMEMORY=N] [--deploy FILE]",
		Short: "Show what would follow if something happened",
		Long:  simulateHelp,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from.save != "" && from.state != "" {
				return usagef("--save writes what --state reads: give one of them")
			}
			for _, shape := range add {
				hosts, err := parseHosts(shape)
				if err != nil {
					return err
				}
				in.Add = append(in.Add, hosts)
			}
			if file != "" {
				stack, err := c.loadStack(cmd.Context(), []string{file}, "")
				if err != nil {
					return err
				}
				in.Deploy = &api.SimulatedStack{Stack: stack.Name, Services: namedSpecs(stack), Networks: stack.Networks}
			}
			s, err := c.simulate(cmd.Context(), from, in)
			if err != nil {
				return err
			}
			return detail(c, o, s, strconv.Itoa(s.Survival.Hosts), func(w io.Writer) error { return c.writeSimulation(w, s) })
		},
	}
	o.register(cmd, "print how many hosts may be lost")
	f := cmd.Flags()
	f.StringArrayVar(&in.Kill, "kill", nil, "a `node` that dies; repeatable: they die together")
	f.StringArrayVar(&in.Drain, "drain", nil, "a `node` that is drained; repeatable")
	f.StringArrayVar(&add, "add", nil, "nodes that join: their `shape` and how many, such as 4x16G=2; repeatable")
	f.StringVar(&file, "deploy", "", "a Compose `file` that is deployed")
	f.StringVar(&from.save, "save", "", "write what the answer rests on to a `file`, without secrets")
	f.StringVar(&from.state, "state", "", "answer from such a `file`, without an agent")
	for _, name := range []string{"kill", "drain"} {
		_ = cmd.RegisterFlagCompletionFunc(name, c.completeAll(nodeNames))
	}
	return cmd
}

// parseHosts reads CPUSxMEMORY[=N].
func parseHosts(text string) (api.SimulatedHosts, error) {
	shape, number, counted := strings.Cut(text, "=")
	cpus, memory, ok := strings.Cut(shape, "x")
	n := 1
	var err error
	if counted {
		n, err = strconv.Atoi(number)
	}
	cores, cpuErr := strconv.ParseFloat(cpus, 64)
	var size configs.Size
	sizeErr := size.Set(memory)
	if !ok || err != nil || cpuErr != nil || sizeErr != nil || n < 1 || math.IsNaN(cores) || math.IsInf(cores, 0) {
		return api.SimulatedHosts{}, usagef("--add %q is not of the form CPUSxMEMORY=N, such as 4x16G=2", text)
	}
	return api.SimulatedHosts{Count: n, CPUs: cores, Memory: int64(size)}, nil
}

func (c *CLI) writeSimulation(w io.Writer, s api.Simulation) error {
	t := table{color: c.color(w)}
	if len(s.Changes) == 0 {
		c.printf("no task would start, move or stop")
	} else {
		t.add(cell{text: "CHANGE"}, cell{text: "SLOT"}, cell{text: "FROM"}, cell{text: "TO"})
		for _, ch := range s.Changes {
			t.add(cell{ch.Kind, changeStyle(ch.Kind)}, cell{text: slotName(api.Task{Service: ch.Service, Slot: ch.Slot})}, cell{text: orNone(ch.From)}, cell{text: orNone(ch.To)})
		}
	}
	if err := t.write(w); err != nil {
		return err
	}
	for _, v := range s.Victims {
		c.printf("%s", victimText(v))
	}
	for _, p := range s.Pending {
		c.printf("no place for %s: %s", slotName(api.Task{Service: p.Service, Slot: p.Slot}), p.Reason)
	}
	c.printf("")
	t = table{color: c.color(w)}
	t.add(cell{text: "NODE"}, cell{text: "STATE"}, cell{text: "CPU RESERVED"}, cell{text: "MEMORY RESERVED"}, cell{text: "TASKS"})
	for _, n := range s.Nodes {
		t.add(cell{text: n.Name}, cell{n.State, paint.State(n.State)}, cell{text: cores(n.CPUReserved) + "/" + cores(n.CPUs)},
			cell{text: cluster.FormatBytes(n.MemoryReserved) + "/" + cluster.FormatBytes(n.Memory)}, cell{text: strconv.Itoa(n.Tasks)})
	}
	if err := t.write(w); err != nil {
		return err
	}
	c.printf("")
	c.printf("%s", survivalText(s.Survival))
	return nil
}

func victimText(v api.Victim) string {
	return fmt.Sprintf("%s leaves %s for %s (priority %d)", slotName(api.Task{Service: v.Service, Slot: v.Slot}), v.Node, v.By, v.Priority)
}

func survivalText(s api.Survival) string {
	text := fmt.Sprintf("every task would find a place after the loss of %s, whichever", plural(s.Hosts, "host"))
	if s.Hosts == 0 {
		text = "no host may be lost without tasks that find no place"
	}
	if !s.Exact {
		text += " (of the fullest ones; not all sets were tried)"
	}
	if len(s.Critical) > 0 {
		text += "; not after that of " + strings.Join(s.Critical, " and ")
	}
	if s.Quorum == 0 {
		return text + ". No voter may be lost"
	}
	return text + fmt.Sprintf(". %s may be lost at a time", plural(s.Quorum, "voter"))
}

func changeStyle(kind string) paint.Style {
	switch kind {
	case api.SlotStarts:
		return paint.Green
	case api.SlotStops:
		return paint.Red
	}
	return paint.Yellow
}
