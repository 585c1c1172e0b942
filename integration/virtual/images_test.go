package virtual

import (
	"fmt"
	"testing"
	"time"
)

// A service goes where its image is, and a new leader is told anew where that is.
func TestTasksGoWhereTheirImageIs(t *testing.T) {
	bubble(t, 5, func(r *ring) {
		r.form()
		old, h := r.leader(), r.worker()
		spec := service(1)
		spec.Template.Container.Image.Ref = "own:1"
		h.engine.AddImage("own:1")
		r.pause(time.Minute + time.Second) // images are looked at every minute
		kill(old)
		r.leader()
		r.pause(5 * time.Second) // what is soft is there again after two heartbeats
		if err := h.deploy(spec); err != nil {
			r.Fatalf("deploy on %s: %v", h, err)
		}
		r.until(time.Minute, func() string {
			tasks, err := h.tasks()
			if err != nil || len(tasks) != 1 || tasks[0].Node != h.name || tasks[0].State != "running" {
				return fmt.Sprintf("%+v, want one task on %s, which has its image: %v", tasks, h, err)
			}
			return ""
		})
	})
}
