//go:build linux

package lab

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// RegistryAddr is where the lab's image registry is reached from the hosts. It
// speaks HTTP: engines need --insecure-registry for it.
const RegistryAddr = OutsideAddr + ":5000"

// RegistryUser and RegistryPassword are the only login of a registry that has one.
const (
	RegistryUser     = "ada"
	RegistryPassword = "secret"
	htpasswd         = RegistryUser + ":$2b$05$aALk87n/hf6dqAJYftvNnu2Qsm3s1qqEay2v39rMQoAwtG5lnfLmG\n" // bcrypt
)

// Registry is a real image registry (docker-registry) outside of the hosts,
// behind a gate that slows it down or closes.
type Registry struct {
	backend string // the address where the registry itself listens
	cancel  context.CancelFunc
	gate    net.Listener
	running sync.WaitGroup
	rate    atomic.Int64 // bytes a second towards the hosts; 0: as fast as it can
	closed  atomic.Bool
}

// StartRegistry starts an empty registry, with a login if so asked. The caller
// must Close it before the lab.
func (l *Lab) StartRegistry(ctx context.Context, login bool) (*Registry, error) {
	binary, err := find("docker-registry")
	if err != nil {
		return nil, fmt.Errorf("start the registry: %w; run integration/lab/install/install.sh", err)
	}
	dir, err := os.MkdirTemp(l.Dir, "registry-")
	if err != nil {
		return nil, err
	}
	r := &Registry{}
	if r.backend, err = freeAddr(ctx); err != nil {
		return nil, err
	}
	config := fmt.Sprintf("version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\n", filepath.Join(dir, "data"), r.backend)
	if login {
		config += fmt.Sprintf("auth: {htpasswd: {realm: lab, path: %s}}\n", filepath.Join(dir, "htpasswd"))
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "config.yml"), []byte(config), 0o600),
		os.WriteFile(filepath.Join(dir, "htpasswd"), []byte(htpasswd), 0o600))
	if err != nil {
		return nil, err
	}
	if err := r.run(l, binary, dir); err != nil {
		return nil, err
	}
	if err := poll(ctx, 20*time.Millisecond, func() (bool, error) { return r.answers(ctx), nil }); err != nil {
		return nil, errors.Join(fmt.Errorf("wait for the registry: %w", err), r.Close())
	}
	l.logf("registry at %s", RegistryAddr)
	return r, nil
}

func (r *Registry) run(l *Lab, binary, dir string) error {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	life, cancel := context.WithCancel(l.life)
	r.cancel = cancel
	cmd := exec.CommandContext(life, binary, "serve", filepath.Join(dir, "config.yml"))
	cmd.Stdout, cmd.Stderr = log, log
	if r.gate, err = net.Listen("tcp", RegistryAddr); err != nil {
		cancel()
		return fmt.Errorf("open the registry's gate: %w", err)
	}
	wait, err := startBound(cmd)
	if err != nil {
		cancel()
		return errors.Join(fmt.Errorf("start the registry: %w", err), r.gate.Close())
	}
	r.running.Go(wait)
	r.running.Go(func() { r.admit(life) })
	return nil
}

// freeAddr is an address on the loopback that nobody listens on.
func freeAddr(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (r *Registry) answers(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.backend+"/v2/", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil
}

// Throttle lets so many bytes a second out of the registry; 0 ends that.
func (r *Registry) Throttle(bytesPerSecond int64) { r.rate.Store(bytesPerSecond) }

// Shut makes the registry drop every connection, and Open serves again.
func (r *Registry) Shut() { r.closed.Store(true) }

// Open ends Shut.
func (r *Registry) Open() { r.closed.Store(false) }

// Close ends the registry.
func (r *Registry) Close() error {
	err := r.gate.Close()
	r.cancel()
	r.running.Wait()
	return err
}

func (r *Registry) admit(ctx context.Context) {
	for {
		in, err := r.gate.Accept()
		if err != nil {
			return
		}
		r.running.Go(func() { r.pass(ctx, in) })
	}
}

func (r *Registry) pass(ctx context.Context, in net.Conn) {
	defer in.Close()
	if r.closed.Load() {
		return
	}
	out, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.backend)
	if err != nil {
		return
	}
	defer out.Close()
	defer context.AfterFunc(ctx, func() { _, _ = in.Close(), out.Close() })()
	r.running.Go(func() {
		_, _ = io.Copy(out, in)
		_ = out.Close()
	})
	r.trickle(ctx, in, out)
}

// trickle copies at the rate that is set, a tenth of a second's worth at a time.
func (r *Registry) trickle(ctx context.Context, to io.Writer, from io.Reader) {
	buf := make([]byte, 64<<10)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !r.closed.Load() {
		room := buf
		if rate := r.rate.Load(); rate > 0 {
			room = buf[:min(int64(len(buf)), max(rate/10, 1))]
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		n, err := from.Read(room)
		if n > 0 {
			if _, err := to.Write(room[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// PushImage has the host's engine push one of its images to the registry, as
// RegistryAddr/name, and returns the digest under which it is known there.
func (h *Host) PushImage(ctx context.Context, image, name string) (digest string, err error) {
	repo, tag, _ := strings.Cut(name, ":")
	full := RegistryAddr + "/" + repo
	status, answer, err := h.DockerAPI(ctx, http.MethodPost, fmt.Sprintf("/images/%s/tag?repo=%s&tag=%s", image, full, tag), nil)
	if err != nil || status != http.StatusCreated {
		return "", fmt.Errorf("tag %s on %s: the engine answered %d: %s: %w", image, h.Name, status, answer, err)
	}
	status, answer, err = h.dockerAPI(ctx, http.MethodPost, fmt.Sprintf("/images/%s/push?tag=%s", full, tag), nil, registryLogin())
	if err != nil || status != http.StatusOK || strings.Contains(string(answer), `"errorDetail"`) {
		return "", fmt.Errorf("push %s from %s: the engine answered %d: %s: %w", name, h.Name, status, answer, err)
	}
	_, rest, ok := strings.Cut(string(answer), "digest: ")
	if !ok {
		return "", fmt.Errorf("push %s from %s: no digest in %s", name, h.Name, answer)
	}
	return full + "@" + strings.Fields(rest)[0], nil
}

// registryLogin is the header by which an engine is told the registry's login.
func registryLogin() http.Header {
	login := fmt.Sprintf(`{"username":%q,"password":%q,"serveraddress":%q}`, RegistryUser, RegistryPassword, RegistryAddr)
	return http.Header{"X-Registry-Auth": {base64.URLEncoding.EncodeToString([]byte(login))}}
}

// PullImage has the host's engine pull RegistryAddr/name, with the login.
func (h *Host) PullImage(ctx context.Context, name string) error {
	repo, tag, _ := strings.Cut(name, ":")
	path := fmt.Sprintf("/images/create?fromImage=%s/%s&tag=%s", RegistryAddr, repo, tag)
	status, answer, err := h.dockerAPI(ctx, http.MethodPost, path, nil, registryLogin())
	if err != nil || status != http.StatusOK || strings.Contains(string(answer), `"errorDetail"`) {
		return fmt.Errorf("pull %s on %s: the engine answered %d: %s: %w", name, h.Name, status, answer, err)
	}
	return nil
}

// HasImage reports whether the host's engine has an image under a reference.
func (h *Host) HasImage(ctx context.Context, ref string) (bool, error) {
	status, answer, err := h.DockerAPI(ctx, http.MethodGet, "/images/"+ref+"/json", nil)
	switch {
	case err != nil:
		return false, err
	case status != http.StatusOK && status != http.StatusNotFound:
		return false, fmt.Errorf("look for %s on %s: the engine answered %d: %s", ref, h.Name, status, answer)
	}
	return status == http.StatusOK, nil
}

// RemoveImage makes the host's engine forget an image, by force.
func (h *Host) RemoveImage(ctx context.Context, ref string) error {
	status, answer, err := h.DockerAPI(ctx, http.MethodDelete, "/images/"+ref+"?force=true", nil)
	if err != nil || status != http.StatusOK && status != http.StatusNotFound {
		return fmt.Errorf("remove %s on %s: the engine answered %d: %s: %w", ref, h.Name, status, answer, err)
	}
	return nil
}
