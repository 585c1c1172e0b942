package agent

import (
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
