package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/oklog/ulid/v2"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
)

func tempData(t *testing.T) *dataDir {
	t.Helper()
	d, err := openData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

func TestDataDirectoryIsLocked(t *testing.T) {
	path := t.TempDir()
	first, err := openData(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = openData(path)
	if err == nil {
		t.Fatal("two agents run on one directory")
	}
	for _, word := range []string{path, "another agent runs on it", "--data-dir"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	first.close()
	second, err := openData(path)
	if err != nil {
		t.Fatalf("after the first agent has ended: %v", err)
	}
	second.close()
}

func TestDataDirectoryIsPrivate(t *testing.T) {
	d := tempData(t)
	if err := d.write("x", []byte("secret")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{d.identityDir(), filepath.Join(d.path, "x"), filepath.Join(d.path, "lock")} {
		s, err := os.Stat(path)
		if err != nil || s.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, s, err)
		}
	}
}

func TestNodeIDIsMadeOnce(t *testing.T) {
	d := tempData(t)
	first, err := d.nodeID()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ulid.ParseStrict(string(first)); err != nil {
		t.Errorf("%s: %v", first, err)
	}
	if again, err := d.nodeID(); err != nil || again != first {
		t.Errorf("then %s, %v", again, err)
	}
}

// A host must not turn into another node because a file was damaged.
func TestDamagedNodeID(t *testing.T) {
	for _, content := range []string{"", "\n", "n1", "01JAAAAAAAAAAAAAAAAAAAAAA", "01JAAAAAAAAAAAAAAAAAAAAAA1\n01JAAAAAAAAAAAAAAAAAAAAAA2"} {
		d := tempData(t)
		if err := os.WriteFile(filepath.Join(d.path, "node-id"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		id, err := d.nodeID()
		if err == nil || !strings.Contains(err.Error(), "node-id") || !strings.Contains(err.Error(), "join again") {
			t.Errorf("%q: node %s, error %v", content, id, err)
		}
		if kept, _ := os.ReadFile(filepath.Join(d.path, "node-id")); string(kept) != content {
			t.Errorf("%q was overwritten with %q", content, kept)
		}
	}
}

func TestWriteIsAtomic(t *testing.T) {
	d := tempData(t)
	if b, err := d.read("x"); b != nil || err != nil {
		t.Errorf("before: %q, %v", b, err)
	}
	for _, content := range []string{"one", "", "three"} {
		if err := d.write("x", []byte(content)); err != nil {
			t.Fatal(err)
		}
		if b, err := d.read("x"); b == nil || err != nil || string(b) != content {
			t.Errorf("read %q, %v, want %q", b, err, content)
		}
	}
	// A write that fails leaves what was there, and nothing else.
	if err := os.Mkdir(filepath.Join(d.path, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.path, "dir", "kept"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.write("dir", []byte("x")); err == nil {
		t.Error("a directory was replaced by a file")
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if diff := cmp.Diff([]string{"dir", "identity", "lock", "x"}, names); diff != "" {
		t.Errorf("the directory (-want +got):\n%s", diff)
	}
}

func TestRemove(t *testing.T) {
	d := tempData(t)
	if err := d.write("x", nil); err != nil {
		t.Fatal(err)
	}
	if err := d.remove("x", "identity", "never-there"); err != nil {
		t.Fatal(err)
	}
	if b, _ := d.read("x"); b != nil {
		t.Error("the file is still there")
	}
}

var threeMembers = []api.Member{
	{ID: "A", Name: "a", Address: "10.0.0.1", APIPort: 7070, GossipPort: 7071, Voter: true, Condition: cluster.Down, PublicKey: "k"},
	{ID: "B", Name: "b", Address: "fd00::2", APIPort: 7070, GossipPort: 7071, Voter: true, Condition: cluster.Away},
	{ID: "C", Name: "c", Address: "10.0.0.3", APIPort: 7072, GossipPort: 7073, Condition: cluster.Ready},
}

func TestMembersAreKeptOnDisk(t *testing.T) {
	d := tempData(t)
	k, err := loadKnown(d)
	if err != nil || len(k.Members()) != 0 {
		t.Fatalf("at first: %v, %v", k, err)
	}
	if err := k.setMembers(threeMembers); err != nil {
		t.Fatal(err)
	}
	again, err := loadKnown(d)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(threeMembers, again.Members()); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	if err := d.write(membersFile, []byte("[{")); err != nil {
		t.Fatal(err)
	}
	if _, err := loadKnown(d); err == nil || !strings.Contains(err.Error(), membersFile) {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestWhatIsKnownOfMembers(t *testing.T) {
	k := &known{data: tempData(t), self: api.Member{ID: "C", Address: "10.9.9.9", APIPort: 1}}
	if err := k.setMembers(threeMembers); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[cluster.NodeID]string{
		"A": "10.0.0.1:7070", "B": "[fd00::2]:7070",
		"C": "10.9.9.9:1", // where it is now, not where the others have heard that it is
	} {
		if got, ok := k.Address(id); !ok || got != want {
			t.Errorf("%s is at %q, %v, want %q", id, got, ok, want)
		}
	}
	if got, ok := k.Address("X"); ok {
		t.Errorf("an unknown node is at %q", got)
	}
	if diff := cmp.Diff([]cluster.NodeID{"B", "A"}, k.voters()); diff != "" {
		t.Errorf("voters, the dead ones last (-want +got):\n%s", diff)
	}
	k.Members()[0].ID = "changed"
	if _, ok := k.member("A"); !ok {
		t.Error("a caller changed the members")
	}
	if !k.setLeader("A") || k.setLeader("A") || !k.setLeader("") || k.leaderID() != "" {
		t.Error("changes of the leader are not told apart")
	}
	var peers []string
	for _, p := range k.gossipPeers() {
		peers = append(peers, p.ID+" "+p.Addr)
	}
	if diff := cmp.Diff([]string{"A 10.0.0.1:7071", "B [fd00::2]:7071", "C 10.0.0.3:7073"}, peers); diff != "" {
		t.Errorf("gossip peers (-want +got):\n%s", diff)
	}
}
