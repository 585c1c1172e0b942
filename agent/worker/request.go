package worker

import (
	"strconv"
	"strings"

	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/runtime"
)

// Host is what containers are told of where they run.
type Host struct {
	ClusterID string
	NodeID    cluster.NodeID
	NodeName  string
	// Devices are those that the host hands out.
	Devices []runtime.Device
	// MTU is the size of packets in networks across hosts; nil: the engine's.
	MTU func() int
}

// ContainerName is the name of a task's container; at most 172 characters.
func ContainerName(a *Assignment) string {
	t := &a.Task
	return strings.Join([]string{
		"muster", a.Stack, t.Service.Name(), strconv.Itoa(t.Slot), strings.ToLower(string(t.ID)),
	}, "-")
}

// Request is what the task's container is made from. The networks are those of its
// template's links, as the action has them.
func Request(h Host, a *Assignment, networks []cluster.Network) runtime.Create {
	t, template := &a.Task, &a.Template
	stack := map[string]string{runtime.LabelCluster: h.ClusterID, runtime.LabelStack: a.Stack}
	out := runtime.Create{
		Name: ContainerName(a),
		Labels: map[string]string{
			runtime.LabelCluster:    h.ClusterID,
			runtime.LabelStack:      a.Stack,
			runtime.LabelService:    t.Service.Name(),
			runtime.LabelSlot:       strconv.Itoa(t.Slot),
			runtime.LabelTask:       string(t.ID),
			runtime.LabelGeneration: strconv.FormatUint(t.Generation, 10),
		},
		Spec:         template.Container,
		Limits:       template.Limits,
		Reservations: template.Reservations,
		PidsLimit:    template.PidsLimit,
		Devices:      h.given(t.Devices),
		VolumeLabels: stack,
		VolumePrefix: a.Stack + "_",
		Env: map[string]string{
			"MUSTER_NODE_NAME": h.NodeName,
			"MUSTER_NODE_ID":   string(h.NodeID),
			"MUSTER_STACK":     a.Stack,
			"MUSTER_SERVICE":   t.Service.Name(),
			"MUSTER_SLOT":      strconv.Itoa(t.Slot),
			"MUSTER_TASK":      string(t.ID),
		},
	}
	tellDevices(out.Env, t.Devices)
	if template.Container.NetworkMode == "" {
		out.Networks, out.DNS = h.networks(a, networks)
		out.Publish = publish(template.Ports)
	}
	return out
}

// publish asks for a port that the engine chooses where the ports answer on
// every node, once for each target, and for the fixed one in host mode.
func publish(ports []cluster.Port) []runtime.Publish {
	var out []runtime.Publish
	seen := map[runtime.Publish]bool{}
	for _, p := range ports {
		r := runtime.Publish{Target: p.Target, Protocol: p.Protocol}
		if p.Mode == cluster.HostPort {
			r.Host, r.HostIP = p.Published, p.HostIP
		}
		if !seen[r] {
			seen[r] = true
			out = append(out, r)
		}
	}
	return out
}
