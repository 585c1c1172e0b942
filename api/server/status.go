package server

import (
	"fmt"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

func status(c *call) (any, error) {
	p := c.present()
	id, _ := p.view.Cluster()
	st := api.Status{ClusterID: id.ID, Voters: []string{}, Problems: []string{}, Stale: c.stale}
	if c.stale {
		st.Problems = append(st.Problems, "no leader can be reached: what is shown may be old, and nothing can be changed until a majority of the voters is back")
	}
	for n := range p.view.Nodes() {
		st.Nodes++
		if n.ID == p.leaderID {
			st.Leader = n.Name
		}
		if p.hasVote(n) {
			st.Voters = append(st.Voters, n.Name)
		}
		st.Problems = append(st.Problems, p.nodeProblems(n)...)
	}
	for s := range p.view.Services() {
		st.Services++
		if s.Redirect != "" {
			st.Redirects = append(st.Redirects, fmt.Sprintf("%s to %s", s.ID, s.Redirect))
		}
		st.Problems = append(st.Problems, p.serviceProblems(s)...)
	}
	for t := range p.view.Tasks() {
		if t.Desired == cluster.Running && !t.Ended() {
			st.Tasks++
		}
	}
	st.Problems = append(st.Problems, c.rotationProblems(p.view)...)
	st.Problems = append(st.Problems, c.Local.Problems()...)
	if p.view.Settings().Encrypt == cluster.EncryptOff {
		st.Encrypt = string(cluster.EncryptOff)
	}
	st.Healthy = len(st.Problems) == 0
	return st, nil
}

func (p presenter) nodeProblems(n *cluster.Node) []string {
	var out []string
	if n.Condition != cluster.Ready {
		out = append(out, fmt.Sprintf("node %s is %s: %s", n.Name, n.Condition, n.Reason))
	}
	if n.EngineError != "" {
		out = append(out, fmt.Sprintf("node %s: the container engine %s", n.Name, n.EngineError))
	}
	if p.soft != nil && n.ID != p.leaderID && n.Condition == cluster.Ready {
		out = append(out, p.soft.Problems(n.ID)...)
	}
	return out
}

func (p presenter) serviceProblems(s *cluster.Service) []string {
	if s.SetAside != "" {
		return []string{fmt.Sprintf("service %s is set aside: %s", s.ID, s.SetAside)}
	}
	a := p.service(s)
	done := p.completed(s)
	short := a.Healthy+done < a.Desired
	switch {
	case s.Removing || !short && a.Problem == "":
		return nil
	case !short:
		return []string{fmt.Sprintf("service %s: %s", s.ID, a.Problem)}
	}
	out := fmt.Sprintf("service %s: %d of %d tasks are healthy", s.ID, a.Healthy+done, a.Desired)
	if a.Problem != "" {
		out += "; " + a.Problem
	}
	for t := range p.view.TasksOf(s.ID) {
		if t.Desired == cluster.Running && t.Node == "" && t.Reason != "" {
			return []string{out + "; pending: " + t.Reason}
		}
	}
	return []string{out}
}
