package state

import (
	"fmt"
	"strings"

	"github.com/musterhq/muster/cluster"
)

func (c Configure) apply(tx *tx) error {
	s := tx.currentSettings().With(c.Change)
	if err := s.Validate(); err != nil {
		return err
	}
	if equal(s, tx.currentSettings()) {
		return nil
	}
	if err := tx.refusePool(s.Pool()); err != nil {
		return err
	}
	tx.settings = &s
	tx.changed(TopicCluster, "settings", "")
	tx.event(Event{Type: "cluster", Action: "configured", Object: tx.ident.ID, Message: networkChange(c.Change)})
	return nil
}

// refusePool refuses another pool while addresses of the present one are in use.
func (tx *tx) refusePool(pool cluster.NetworkPool) error {
	now := tx.currentSettings().Pool()
	if pool == now {
		return nil
	}
	var users []string
	for _, n := range tx.networks.all("") {
		users = append(users, "network "+string(n.ID))
	}
	for _, s := range tx.services.all("") {
		if s.Address.IsValid() {
			users = append(users, "service "+string(s.ID))
		}
	}
	if len(users) == 0 {
		return nil
	}
	return &Error{CodeConflict, fmt.Sprintf("network_pool: it cannot become %s while addresses of %s are in use, by %s; remove their stacks first", pool, now, some(users))}
}

// networkChange is what a change says of networks, for people.
func networkChange(c cluster.SettingsChange) string {
	var out []string
	if c.NetworkPool != nil {
		out = append(out, "network-pool="+c.NetworkPool.String())
	}
	if c.Encrypt != nil {
		out = append(out, "encrypt="+string(*c.Encrypt))
	}
	return strings.Join(out, " ")
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
