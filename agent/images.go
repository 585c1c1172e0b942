package agent

import (
	"context"
	"path/filepath"

	"github.com/musterhq/muster/agent/images"
)

// imagesOf is what brings images to this host and hands them on, for the API
// server and the worker.
type imagesOf struct {
	*images.Fetcher
	*images.Store
}

// startImages makes what brings images here and hands them on.
func (m *member) startImages() error {
	log := m.log.With("part", "images")
	store, err := images.OpenStore(filepath.Join(m.a.data.path, "images"), m.a.host.Engine, room)
	if err != nil {
		return err
	}
	m.images = imagesOf{
		Fetcher: images.New(images.Config{
			Self: m.self, Engine: m.a.host.Engine, Peers: m.peers, Members: m.Members, Store: store, Login: m.login, Logger: log,
		}),
		Store: store,
	}
	m.jobs.Go(func() { store.Run(m.ctx, log) })
	return nil
}

// collectImages removes images that nobody needs, until ctx ends.
func (m *member) collectImages(ctx context.Context) {
	c := &images.Collector{
		Store: m.images.Store, Engine: m.a.host.Engine, Room: room,
		High: m.a.cfg.ImageGCHigh, Low: m.a.cfg.ImageGCLow, Keep: m.a.cfg.ImageGCKeep,
		InUse: m.worker.Images, Logger: m.log.With("part", "images"),
		Wanted: func(ctx context.Context) (out []string, err error) {
			err = m.uplink.call(ctx, "/v1/node/images/wanted", nil, &out)
			return out, err
		},
	}
	c.Run(ctx)
}
