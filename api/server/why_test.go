package server

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/cluster"
)

func TestUnlikeTasksAreLookedAt(t *testing.T) {
	task := func(id, node, reason string) *cluster.Task {
		return &cluster.Task{ID: cluster.TaskID(id), Node: cluster.NodeID(node), Reason: reason}
	}
	var many []*cluster.Task
	for i := range 9 {
		many = append(many, task(fmt.Sprint(i), "", fmt.Sprint("reason ", i)))
	}
	for name, tt := range map[string]struct {
		tasks []*cluster.Task
		want  string
	}{
		"none":                          {nil, ""},
		"the first of those placed":     {[]*cluster.Task{task("1", "n1", ""), task("2", "n2", "")}, "1"},
		"none placed where one waits":   {[]*cluster.Task{task("1", "", "x"), task("2", "", "x"), task("3", "n2", "")}, "1"},
		"those that wait for another":   {[]*cluster.Task{task("1", "", "x"), task("2", "", "y"), task("3", "", "x")}, "12"},
		"not more than a bound":         {many, "01234"},
		"a bound task's node is a kind": {[]*cluster.Task{{ID: "1", Pinned: "n1"}, {ID: "2", Pinned: "n2"}}, "12"},
	} {
		got := ""
		for _, one := range unlike(tt.tasks) {
			got += string(one.ID)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
