package sim

import (
	"time"

	"github.com/musterhq/muster/cluster"
)

// spec is a random service. Two services of a name differ in what an update may
// change.
func (u *users) spec() cluster.ServiceSpec {
	w := u.w
	s := cluster.ServiceSpec{Mode: cluster.Replicated, Replicas: w.rand.IntN(2 + len(w.hosts))}
	switch {
	case w.chance(0.2):
		s.Mode, s.Replicas = cluster.Global, 0
	case u.greedy && w.chance(0.3):
		s.Replicas = 20 + w.rand.IntN(40) // more than there is room for
	}
	n := good
	if w.chance(0.3) {
		n = pick(w, []nature{slow, frail, frail, crash, sick, done, broken, missing})
	}
	c := &s.Template.Container
	c.Image = image(n, w.rand.IntN(3))
	if n == slow || n == sick || w.chance(0.4) {
		c.Healthcheck = &cluster.Healthcheck{Test: []string{"CMD", "true"}, Interval: time.Second}
	}
	if w.chance(0.2) {
		c.StopGrace = time.Duration(1+w.rand.IntN(20)) * time.Second
	}
	if w.chance(0.1) {
		c.Mounts = []cluster.Mount{{Type: cluster.MountVolume, Source: "data", Target: "/data"}}
	}
	u.demands(&s.Template)
	u.wishes(&s)
	s.Template.Ports = u.ports()
	s.Template.Restart = u.restart()
	s.Update = u.update()
	if w.chance(0.2) {
		back := u.update()
		if back.FailureAction == cluster.ActionRollback {
			back.FailureAction = cluster.ActionPause
		}
		s.Rollback = &back
	}
	return s
}

// demands are what a task takes of its node, and which nodes it may be on.
func (u *users) demands(t *cluster.Template) {
	w := u.w
	if w.chance(0.6) {
		t.Reservations = cluster.Resources{MilliCPU: int64(w.rand.IntN(8)) * 100, Memory: int64(w.rand.IntN(6)) << 27}
	}
	if w.chance(0.1) {
		t.Reservations.Disk = int64(w.rand.IntN(3)) << 28
	}
	if w.chance(0.1) {
		milli := pick(w, []int64{300, 700, 1000, 2000})
		t.Devices, t.Reservations.MilliGPU = []cluster.DeviceRequest{{Kind: cluster.DeviceGPU, Milli: milli}}, milli
	}
	if w.chance(0.2) {
		t.Constraints = []string{pick(w, []string{
			"node.labels.zone==a", "node.labels.zone!=a", "node.labels.disk==ssd", "node.role==worker", "node.name!=node1",
		})}
	}
	if w.chance(0.1) {
		t.MaxPerNode = 1 + w.rand.IntN(2)
	}
}

// wishes are what the service would like of placement.
func (u *users) wishes(s *cluster.ServiceSpec) {
	w := u.w
	if w.chance(0.3) {
		s.Placement.Rebalance = cluster.RebalanceAuto
	}
	if w.chance(0.2) {
		s.Preferences = []string{"node.labels.zone"}
	}
	if w.chance(0.4) {
		s.Placement.Priority = new(w.rand.IntN(cluster.MaxPriority + 1))
	}
	if w.chance(0.1) {
		s.Placement.Near = []string{"web"}
	}
	if w.chance(0.1) {
		s.Placement.Preempt = cluster.PreemptNever
	}
}

func (u *users) ports() []cluster.Port {
	w := u.w
	switch {
	case w.chance(0.15):
		return []cluster.Port{{Target: 80, Published: uint16(8000 + w.rand.IntN(4)), Protocol: "tcp", Mode: cluster.HostPort}}
	case w.chance(0.4):
		return []cluster.Port{{Target: 80, Published: uint16(9000 + w.rand.IntN(40)), Protocol: "tcp", Mode: cluster.Ingress}}
	}
	return nil
}

func (u *users) restart() cluster.RestartPolicy {
	w := u.w
	p := cluster.RestartPolicy{}
	if w.chance(0.3) {
		p.Condition = pick(w, []cluster.RestartCondition{cluster.RestartAny, cluster.RestartOnFailure, cluster.RestartNever})
	}
	if w.chance(0.2) {
		p.MaxAttempts = 1 + w.rand.IntN(3)
	}
	if w.chance(0.2) {
		p.Delay = w.between(100*time.Millisecond, 5*time.Second)
	}
	return p
}

func (u *users) update() cluster.Update {
	w := u.w
	p := cluster.Update{}
	if w.chance(0.3) {
		p.Order = pick(w, []cluster.Order{cluster.StartFirst, cluster.StopFirst})
	}
	if w.chance(0.3) {
		p.Parallelism = 1 + w.rand.IntN(3)
	}
	if w.chance(0.2) {
		p.Delay = w.between(time.Second, 5*time.Second)
	}
	if w.chance(0.3) {
		p.FailureAction = pick(w, []cluster.FailureAction{cluster.ActionPause, cluster.ActionContinue, cluster.ActionRollback})
	}
	if w.chance(0.2) {
		p.MaxFailureRatio = float64(w.rand.IntN(5)) / 8
	}
	if w.chance(0.2) {
		p.Monitor = w.between(time.Second, 10*time.Second)
	}
	if w.chance(0.1) {
		p.Canary = 1 + w.rand.IntN(2)
	}
	if w.chance(0.3) {
		p.ProgressDeadline = w.between(20*time.Second, time.Minute)
	}
	return p
}
