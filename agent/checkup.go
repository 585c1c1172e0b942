package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/musterhq/muster/agent/checkup"
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/consensus"
)

// Bounds of a checkup.
const (
	factsEvery  = 5 * time.Second // who asks sooner gets the last answer
	engineWait  = 5 * time.Second
	reachAtOnce = 8
	wayFor      = 10 * time.Second // all that is tried on one way
	echoPad     = 48 << 10         // many full packets each way
	echoTimes   = 3                // the quickest tells the time best
)

// lastFacts keeps a checkup for a moment: measuring a disk disturbs it.
type lastFacts struct {
	mu    sync.Mutex
	at    time.Time
	facts api.HostFacts
}

// Facts looks at this host.
func (a *Agent) Facts(ctx context.Context) api.HostFacts {
	a.facts.mu.Lock()
	defer a.facts.mu.Unlock()
	if time.Since(a.facts.at) < factsEvery {
		return a.facts.facts
	}
	m := a.current()
	f := checkup.Look("/")
	f.ID, f.Name, f.APIPort, f.GossipPort = a.nodeID, a.name, a.cfg.Port, a.cfg.GossipPort
	if m != nil {
		f.Address = m.address
		f.SamplePort = checkup.Sample(m.ctx)
	} else {
		f.Address, _ = a.advertise(nil)
		f.PortsTaken = checkup.Taken(a.cfg.Port, a.cfg.GossipPort)
	}
	checkup.Self(&f)
	f.DataDir = a.data.path
	if free, size, err := room(a.data.path); err == nil {
		f.DiskFree, f.DiskSize = free, size
	}
	took, err := consensus.MeasureFsync(a.data.path)
	f.Fsync = took
	if err != nil {
		f.FsyncError = err.Error()
	}
	a.engineFacts(ctx, &f)
	a.facts.at, a.facts.facts = time.Now(), f
	return f
}

// current is the member that this host is, nil while it is none or just enters
// or leaves a cluster.
func (a *Agent) current() *member {
	if !a.moving.try() {
		return nil
	}
	defer a.moving.done()
	return a.member
}

func (a *Agent) engineFacts(ctx context.Context, f *api.HostFacts) {
	ctx, cancel := context.WithTimeout(ctx, engineWait)
	defer cancel()
	i, err := a.host.Engine.Info(ctx)
	if err != nil {
		f.EngineError = engineFailure(err)
		return
	}
	f.Engine = &api.EngineFacts{
		Version: i.EngineVersion, APIVersion: i.Settings.APIVersion, StorageDriver: i.Settings.StorageDriver,
		CgroupDriver: i.Settings.CgroupDriver, CgroupVersion: i.Settings.CgroupVersion, LogDriver: i.Settings.LogDriver,
		LiveRestore: i.Settings.LiveRestore, Warnings: i.Settings.Warnings,
	}
}

// Approach tries the way to a host that is no member of anything yet, or of
// another cluster: what can be tried without a certificate.
func (a *Agent) Approach(ctx context.Context, address string) api.Way {
	ip, port, err := net.SplitHostPort(address)
	if err != nil {
		ip, port = address, strconv.Itoa(a.cfg.Port)
	}
	w := api.Way{ToName: ip, Address: ip, GossipPort: a.cfg.GossipPort}
	w.APIPort, _ = strconv.Atoi(port)
	ctx, cancel := context.WithTimeout(ctx, wayFor)
	defer cancel()
	api := net.JoinHostPort(ip, port)
	w.API, w.PathMTU = checkup.Dial(ctx, api)
	w.GossipTCP, _ = checkup.Dial(ctx, net.JoinHostPort(ip, strconv.Itoa(a.cfg.GossipPort)))
	if w.API == checkup.OK {
		if err := askTime(ctx, api, &w); err != nil {
			w.API = "something answers, but no agent of a cluster: " + err.Error()
		}
	}
	return w
}

// askTime reads the other host's clock off its liveness route. Its certificate
// proves nothing yet, and nothing is told it.
func askTime(ctx context.Context, address string, w *api.Way) error {
	t := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}, DisableKeepAlives: true} //nolint:gosec // see above
	defer t.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/healthz", nil)
	if err != nil {
		return err
	}
	began := time.Now()
	resp, err := t.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10))
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return errors.New("it says no time")
	}
	w.RTT, w.Grain = time.Since(began), time.Second
	skew := at.Sub(began.Add(w.RTT / 2))
	w.Skew = &skew
	return nil
}

// Reach tries the ways to other members.
func (m *member) Reach(ctx context.Context, targets []api.Target) []api.Way {
	out := make([]api.Way, len(targets))
	var tried sync.WaitGroup
	places := make(chan struct{}, reachAtOnce)
	for i, t := range targets {
		places <- struct{}{}
		tried.Go(func() {
			defer func() { <-places }()
			out[i] = m.reach(ctx, t)
		})
	}
	tried.Wait()
	return out
}

// reach tries everything on one way at once. Only members are dialled.
func (m *member) reach(ctx context.Context, t api.Target) api.Way {
	k, known := m.member(t.ID)
	w := api.Way{To: t.ID, ToName: k.Name, Address: k.Address, APIPort: k.APIPort, GossipPort: k.GossipPort, SamplePort: t.SamplePort}
	if !known || t.ID == m.self {
		return w
	}
	ctx, cancel := context.WithTimeout(ctx, wayFor)
	defer cancel()
	at := func(port int) string { return net.JoinHostPort(k.Address, strconv.Itoa(port)) }
	var tried sync.WaitGroup
	tried.Go(func() {
		if w.API, w.PathMTU = checkup.Dial(ctx, at(k.APIPort)); w.API == checkup.OK {
			m.echo(ctx, t.ID, &w)
		}
	})
	tried.Go(func() { w.GossipTCP, _ = checkup.Dial(ctx, at(k.GossipPort)) })
	tried.Go(func() {
		if err := m.gossip.Ping(string(t.ID), at(k.GossipPort)); err != nil {
			w.GossipUDP = "no answer: a firewall drops it, or its gossip is not of this cluster"
			return
		}
		w.GossipUDP = checkup.OK
	})
	if t.SamplePort > 0 {
		tried.Go(func() { w.Sample, _ = checkup.Dial(ctx, at(t.SamplePort)) })
	}
	tried.Wait()
	return w
}

// echo compares clocks by small calls and sends a large one.
func (m *member) echo(ctx context.Context, id cluster.NodeID, w *api.Way) {
	for range echoTimes {
		var out api.Echo
		began := time.Now()
		if err := m.peers.Call(ctx, id, http.MethodPost, "/v1/node/echo", api.Echo{}, &out); err != nil {
			w.API = fmt.Sprintf("connected, but a call failed: %v", err)
			return
		}
		if took := time.Since(began); w.RTT == 0 || took < w.RTT {
			skew := out.At.Sub(began.Add(took / 2))
			w.RTT, w.Skew = took, &skew
		}
	}
	w.Large = checkup.OK
	if err := m.peers.Call(ctx, id, http.MethodPost, "/v1/node/echo", api.Echo{Pad: make([]byte, echoPad)}, nil); err != nil {
		w.Large = checkup.Outcome(err)
	}
}
