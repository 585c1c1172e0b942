package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/musterhq/muster/runtime"
)

// stallDeadline ends a pull whose progress the engine no longer reports.
const stallDeadline = 3 * time.Minute

// Pull lets the engine fetch a digest reference.
func (d *Driver) Pull(ctx context.Context, digest string, login *runtime.Login) error {
	auth, err := encode(login)
	if err != nil {
		return err
	}
	return d.call(ctx, classTransfer, "pull image "+digest, func(ctx context.Context, cl *client.Client) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		watchdog := time.AfterFunc(stallDeadline, func() { cancel(errStalled) })
		defer watchdog.Stop()
		body, err := cl.ImagePull(ctx, digest, image.PullOptions{RegistryAuth: auth})
		if err == nil {
			defer body.Close()
			err = readMessages(body, func(jsonmessage.JSONMessage) error {
				watchdog.Reset(stallDeadline)
				return nil
			})
		}
		if errors.Is(context.Cause(ctx), errStalled) {
			return errStalled
		}
		return notFoundInRegistry(err)
	})
}

// errStalled says which deadline ended a pull.
var errStalled = fmt.Errorf("%w: no progress for %v", runtime.ErrEngine, stallDeadline)

// notFoundInRegistry recognises the registry's words for an absent image,
// which the engine passes on as text.
func notFoundInRegistry(err error) error {
	if err == nil {
		return nil
	}
	for _, text := range []string{"manifest unknown", "not found", "does not exist"} {
		if strings.Contains(err.Error(), text) {
			return fmt.Errorf("%w: %w", runtime.ErrNotFound, err)
		}
	}
	return err
}

// Save writes an image as a tar stream; one that came from a peer is found by
// its digest too.
func (d *Driver) Save(ctx context.Context, ref string, w io.Writer) error {
	found, err := d.findImage(ctx, ref)
	if err != nil {
		return err
	}
	return d.call(ctx, classTransfer, "save image "+ref, func(ctx context.Context, cl *client.Client) error {
		body, err := cl.ImageSave(ctx, []string{found.ID})
		if err != nil {
			return err
		}
		defer body.Close()
		_, err = io.Copy(w, body)
		return err
	})
}

// loaded are the engine's reports of a load, by ID or by name.
var loaded = regexp.MustCompile(`^Loaded image(?: ID)?: (\S+)`)

// Load reads a tar stream and returns the IDs of its images.
func (d *Driver) Load(ctx context.Context, r io.Reader) (ids []string, err error) {
	var refs []string
	err = d.call(ctx, classTransfer, "load images", func(ctx context.Context, cl *client.Client) error {
		answer, err := cl.ImageLoad(ctx, r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		return readMessages(answer.Body, func(m jsonmessage.JSONMessage) error {
			if found := loaded.FindStringSubmatch(m.Stream); found != nil {
				refs = append(refs, found[1])
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	for _, ref := range refs {
		if !imageID.MatchString(ref) {
			i, err := d.inspectImage(ctx, ref)
			if err != nil {
				return nil, err
			}
			ref = i.ID
		}
		ids = append(ids, ref)
	}
	return ids, nil
}

// Build builds an image with the engine's own builder and writes what it
// prints to out. contextTar holds the build context; dockerfile is a path in it.
func (d *Driver) Build(ctx context.Context, b runtime.Build, contextTar io.Reader, out io.Writer) (id string, err error) {
	if strings.HasPrefix(b.Tag, runtime.PeerRepository) {
		return "", refuse("image name %q is kept for images from peers; choose another", b.Tag)
	}
	args := make(map[string]*string, len(b.Args))
	for k, v := range b.Args {
		args[k] = &v
	}
	err = d.call(ctx, classTransfer, "build image "+b.Tag, func(ctx context.Context, cl *client.Client) error {
		answer, err := cl.ImageBuild(ctx, contextTar, build.ImageBuildOptions{
			Tags: []string{b.Tag}, Dockerfile: b.Dockerfile, BuildArgs: args, Target: b.Target,
			Remove: true, ForceRemove: true, Version: build.BuilderV1,
		})
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		return readMessages(answer.Body, func(m jsonmessage.JSONMessage) error {
			var aux build.Result
			if m.Aux != nil && json.Unmarshal(*m.Aux, &aux) == nil && aux.ID != "" {
				id = aux.ID
			}
			_, err := io.WriteString(out, m.Stream)
			return err
		})
	})
	if err == nil && id == "" {
		return "", fmt.Errorf("build image %s: the engine named no image", b.Tag)
	}
	return id, err
}

// readMessages reads the engine's stream of JSON messages to its end; a
// message that carries an error ends it with that.
func readMessages(r io.Reader, f func(jsonmessage.JSONMessage) error) error {
	for in := json.NewDecoder(r); ; {
		var m jsonmessage.JSONMessage
		if err := in.Decode(&m); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if m.Error != nil {
			return m.Error
		}
		if err := f(m); err != nil {
			return err
		}
	}
}
