package agent

import (
	"context"
	"maps"
	"path/filepath"
	"sync"

	"github.com/musterhq/muster/agent/images"
	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/runtime"
)

// imagesOf is what brings images to this host and hands them on, for the API
// server and the worker.
type imagesOf struct {
	*images.Fetcher
	*images.Store
	early     *images.Prefetcher
	collector func() *images.Collector
}

// Prune implements server.Images.
func (i imagesOf) Prune(ctx context.Context, p api.PruneImages) (api.PrunedImages, error) {
	return i.collector().Prune(ctx, p)
}

// startImages makes what brings images here and hands them on.
func (m *member) startImages() error {
	log := m.log.With("part", "images")
	store, err := images.OpenStore(filepath.Join(m.a.data.path, "images"), m.a.host.Engine, room)
	if err != nil {
		return err
	}
	fetcher := images.New(images.Config{
		Self: m.self, Engine: m.a.host.Engine, Peers: m.peers, Members: m.Members, Store: store, Record: imageRecord{m}, Login: m.login, Logger: log,
	})
	full := func() bool { return m.collector.Full() }
	m.images = imagesOf{Fetcher: fetcher, Store: store, early: images.NewPrefetcher(fetcher, full, log), collector: func() *images.Collector { return m.collector }}
	m.jobs.Go(func() { store.Run(m.ctx, log) })
	return nil
}

// imageRecord is the cluster's record of images, kept by the voters.
type imageRecord struct{ m *member }

func (r imageRecord) ImageID(ctx context.Context, digest string) (id string, kept bool, err error) {
	var out api.ImageRecord
	err = r.m.uplink.call(ctx, "/v1/node/images/record", api.ImageQuestion{Node: r.m.self, Digest: digest}, &out)
	return out.ID, out.Kept, err
}

func (r imageRecord) NoteImage(ctx context.Context, digest, id string) error {
	return r.m.uplink.call(ctx, "/v1/node/images/pulled", api.ImagePulled{Node: r.m.self, Digest: digest, ID: id}, nil)
}

// tendImages removes images that nobody needs, and brings those that may be
// needed soon, until ctx ends.
func (m *member) tendImages(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { m.images.early.Run(ctx) })
	m.collector.Run(ctx)
	running.Wait()
}

// newShelf makes what tells the leader which images this host has, when they have
// changed.
func (m *member) newShelf() func(here []runtime.Image) {
	var last api.HeldImages
	return func(here []runtime.Image) {
		held := images.Held(here)
		if last == nil || !maps.Equal(held, last) {
			last = held
			m.held.set(&held)
		}
	}
}

// newCollector makes what removes images. The worker is there.
func (m *member) newCollector() *images.Collector {
	return &images.Collector{
		Store: m.images.Store, Engine: m.a.host.Engine, Room: room,
		High: m.a.cfg.ImageGCHigh, Low: m.a.cfg.ImageGCLow, Keep: m.a.cfg.ImageGCKeep,
		InUse: m.worker.Images, Seen: m.newShelf(), Logger: m.log.With("part", "images"),
		Wanted: func(ctx context.Context) (out []string, err error) {
			err = m.uplink.call(ctx, "/v1/node/images/wanted", nil, &out)
			return out, err
		},
		Tell: func(ctx context.Context, removed []api.RemovedImage) error {
			return m.uplink.call(ctx, "/v1/node/images/removed", api.ImagesRemoved{Node: m.self, Images: removed}, nil)
		},
	}
}
