package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/controller"
)

// users deploy, scale, update and remove stacks and take nodes in and out. They
// send a request again, under its ID, until it is answered.
type users struct {
	w      *World
	stacks map[string][]state.NamedSpec // what was sent last; looked up by name only
	busy   map[string]bool              // stacks with a request on its way
	pace   time.Duration                // longest pause
	greedy bool                         // they want more than fits
	drain  map[cluster.NodeID]cluster.Availability
}

var stackNames = []string{"blog", "db", "mail", "shop"}

func newUsers(w *World) *users {
	pace := 12 * time.Second
	if w.chance(0.2) {
		pace = 1500 * time.Millisecond
	}
	return &users{w: w, pace: pace, greedy: w.chance(0.05), stacks: map[string][]state.NamedSpec{}, busy: map[string]bool{}, drain: map[cluster.NodeID]cluster.Availability{}}
}

// work does something every few seconds until nothing is disturbed any more.
func (u *users) work() {
	if u.w.quiet {
		return
	}
	u.act()
	u.w.after(u.w.between(u.pace/20, u.pace), u.work)
}

func (u *users) act() {
	w := u.w
	stack := pick(w, stackNames)
	old, there := u.stacks[stack]
	switch p := w.rand.Float64(); {
	case u.busy[stack]:
	case !there || p < 0.15:
		u.deploy(stack, u.newStack(stack, old))
	case p < 0.45:
		u.deploy(stack, u.changed(stack, old))
	case p < 0.65:
		u.scale(stack, pick(w, old).Name)
	case p < 0.69:
		u.restarted(stack, pick(w, old).Name)
	case p < 0.72:
		u.turned(cluster.NewServiceID(stack, pick(w, old).Name))
	case p < 0.76:
		u.rebalanced()
	case p < 0.80:
		u.remove(stack)
	case p < 0.82:
		if h := pick(w, w.hosts); u.removes(h) {
			u.send(string(h.id), state.RemoveNode{ID: h.id}, func(state.Result) {})
		}
	case p < 0.92:
		u.available(pick(w, w.hosts), pick(w, []cluster.Availability{cluster.Active, cluster.Active, cluster.Cordoned, cluster.Drained}))
	default:
		u.label(pick(w, w.hosts))
	}
}

// newStack is a stack of one to three services, some of them those it had.
func (u *users) newStack(stack string, old []state.NamedSpec) []state.NamedSpec {
	var out []state.NamedSpec
	for _, name := range []string{"api", "cache", "web"}[:1+u.w.rand.IntN(3)] {
		s := state.NamedSpec{Name: name, Spec: u.spec()}
		s.Spec.Template.Networks = u.links(stack)
		if i := slices.IndexFunc(old, func(o state.NamedSpec) bool { return o.Name == name }); i >= 0 && u.w.chance(0.5) {
			s = old[i]
		}
		out = append(out, s)
	}
	return out
}

// changed is the stack with one service updated: mostly to a new image, at times
// to something else altogether.
func (u *users) changed(stack string, old []state.NamedSpec) []state.NamedSpec {
	out := slices.Clone(old)
	s := &out[u.w.rand.IntN(len(out))]
	if u.w.chance(0.3) {
		s.Spec = u.spec()
		s.Spec.Template.Networks = u.links(stack)
		return out
	}
	n := natureOf(s.Spec.Template.Container.Image)
	if u.w.chance(0.2) {
		n = pick(u.w, []nature{good, crash, broken, sick}) // a new image may not work, or work again
	}
	s.Spec.Template.Container.Image = image(n, u.w.rand.IntN(6))
	return out
}

func (u *users) deploy(stack string, services []state.NamedSpec) {
	had := u.stacks[stack]
	u.stacks[stack] = services
	for _, s := range had {
		if !slices.ContainsFunc(services, func(o state.NamedSpec) bool { return o.Name == s.Name }) {
			u.w.watch.promises.Removing(cluster.NewServiceID(stack, s.Name))
		}
	}
	put := state.PutStack{Stack: stack, Services: services, Networks: declared(stack, services)}
	if u.w.mixed {
		put = state.Trim(put, state.Version-1) // an older voter would refuse the rest
	}
	u.send(stack, put, func(res state.Result) {
		if res.Err != nil { // nothing was changed
			u.forget(stack, had)
			return
		}
		for _, s := range res.Services {
			if s.Action != "removed" {
				u.w.watch.promises.Deployed(s.Service, s.Generation)
			}
		}
	})
}

// forget goes back to what was there before a refused deploy. Whether an earlier
// removal of the same services is under way is not known any more.
func (u *users) forget(stack string, had []state.NamedSpec) {
	if had == nil {
		delete(u.stacks, stack)
		return
	}
	u.stacks[stack] = had
}

func (u *users) scale(stack, name string) {
	id := cluster.NewServiceID(stack, name)
	n := u.w.rand.IntN(3 + len(u.w.hosts))
	u.send(stack, state.Scale{Service: id, Replicas: n}, func(res state.Result) {
		if res.Err != nil {
			return
		}
		for i := range u.stacks[stack] {
			if s := &u.stacks[stack][i]; s.Name == name {
				s.Spec.Replicas = n
			}
		}
	})
}

func (u *users) restarted(stack, name string) {
	u.send(stack, state.Restart{Service: cluster.NewServiceID(stack, name)}, func(res state.Result) {
		for _, s := range res.Services {
			u.w.watch.promises.Deployed(s.Service, s.Generation)
		}
	})
}

// turned takes a service back to a generation that it had, or promotes its canary.
func (u *users) turned(id cluster.ServiceID) {
	s, ok := u.w.raft.newest().Service(id)
	switch {
	case !ok || s.Removing:
	case s.OnTrial():
		u.send(id.Stack(), state.Promote{Service: id, Generation: s.Generation}, func(state.Result) {})
	case len(s.History) > 0 && u.w.chance(0.5):
		u.send(id.Stack(), state.Rollback{Service: id, To: pick(u.w, s.History).Number}, func(state.Result) {})
	default:
		u.send(id.Stack(), state.Rollback{Service: id}, func(state.Result) {})
	}
}

// rebalanced moves tasks to better nodes, or some without a reason.
func (u *users) rebalanced() {
	v := u.w.raft.newest()
	ask := api.Rebalance{Pack: u.w.chance(0.3), Stateful: u.w.chance(0.3)}
	m := state.Move{}
	for _, p := range controller.Proposals(v, controller.Facts{}, u.w.clock(), nil, ask).Moves {
		m.Tasks = append(m.Tasks, state.MoveTask{Task: cluster.TaskID(p.Task), From: cluster.NodeID(p.FromID), To: cluster.NodeID(p.ToID)})
	}
	for t := range v.Tasks() {
		if t.Desired == cluster.Running && t.Node != "" && u.w.chance(0.05) {
			m.Tasks = append(m.Tasks, state.MoveTask{Task: t.ID, From: t.Node})
		}
	}
	for s := range v.Services() {
		if u.w.chance(0.1) {
			m.Services = append(m.Services, s.ID)
		}
	}
	u.send("moves", m, func(state.Result) {})
}

func (u *users) remove(stack string) {
	for _, s := range u.stacks[stack] {
		u.w.watch.promises.Removing(cluster.NewServiceID(stack, s.Name))
	}
	delete(u.stacks, stack)
	u.send(stack, state.RemoveStack{Stack: stack}, func(state.Result) {})
}

func (u *users) available(h *host, a cluster.Availability) {
	u.send(string(h.id), state.SetAvailability{Node: h.id, Availability: a}, func(state.Result) {})
}

func (u *users) label(h *host) {
	set := map[string]string{"zone": pick(u.w, []string{"a", "b"})}
	if u.w.chance(0.5) {
		set = map[string]string{"disk": pick(u.w, []string{"ssd", "hdd"})}
	}
	u.send(string(h.id), state.LabelNode{Node: h.id, Set: set}, func(state.Result) {})
}

// late lets a copy of a request that was answered arrive once more, as one that
// was stuck on its way.
func (u *users) late(body state.Body, request string) {
	if u.w.quiet || !u.w.chance(0.1) {
		return
	}
	u.w.after(u.w.between(10*time.Millisecond, time.Minute), func() {
		if h := pick(u.w, u.w.hosts); h.awake() {
			h.agent.call(body, request, func(state.Result, error) {})
		}
	})
}

// send proposes through any agent, under one request ID until there is an
// answer. Nothing else is sent about the subject meanwhile.
func (u *users) send(subject string, body state.Body, done func(state.Result)) {
	if u.busy[subject] {
		return
	}
	u.busy[subject] = true
	request := u.w.newID(u.w.clock())
	u.w.note("user", strings.TrimPrefix(fmt.Sprintf("%T", body), "state."), subject, 0)
	var try func()
	again := func() { u.w.after(u.w.between(200*time.Millisecond, 2*time.Second), try) }
	try = func() {
		h := pick(u.w, u.w.hosts)
		if h.agent == nil || !h.awake() {
			again()
			return
		}
		told := false
		outcome := func(res state.Result, err error) {
			switch {
			case told:
			case err != nil:
				told = true
				again()
			default:
				told = true
				u.busy[subject] = false
				if res.Err != nil {
					u.w.note("refused user", subject, res.Err.Message, 0)
				}
				done(res)
				u.late(body, request)
			}
		}
		u.w.after(callTimeout, func() { outcome(state.Result{}, errUnknown) })
		h.agent.call(body, request, outcome)
	}
	try()
}
