package state

import "github.com/musterhq/muster/cluster"

func (c Configure) apply(tx *tx) error {
	s := tx.currentSettings().With(c.Change)
	if err := s.Validate(); err != nil {
		return err
	}
	if equal(s, tx.currentSettings()) {
		return nil
	}
	tx.settings = &s
	tx.changed(TopicCluster, "settings", "")
	tx.event(Event{Type: "cluster", Action: "configured", Object: tx.ident.ID})
	return nil
}

func (tx *tx) currentSettings() cluster.Settings {
	if tx.settings == nil {
		return cluster.Settings{}
	}
	return *tx.settings
}

// Settings are the operator's wishes for the whole cluster.
func (v View) Settings() cluster.Settings {
	if v.settings == nil {
		return cluster.Settings{}
	}
	return *v.settings
}
