package controller

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/api"
	"github.com/musterhq/muster/cluster"
	"github.com/musterhq/muster/cluster/state"
	"github.com/musterhq/muster/cluster/usage"
	"github.com/musterhq/muster/placement"
)

// replayed is a recording after its way through a file.
func replayed(t *testing.T, r api.Recording) (state.View, Facts) {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back api.Recording
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	v, f, err := Replay(back)
	if err != nil {
		t.Fatal(err)
	}
	return v, f
}

// A recording answers as the cluster does.
func TestARecordingAnswersAsTheClusterDoes(t *testing.T) {
	w := newWorld(t, t0, "a", "b", "c")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(6, 500), "db": spec(2, 1500), "big": spec(1, 9000)})
	w.settle()
	w.runAll()
	w.do(state.SetAvailability{Node: "c", Availability: cluster.Cordoned})
	var nobody *Controller
	for name, s := range map[string]Scenario{
		"nothing": {},
		"death":   {Down: []cluster.NodeID{"b"}},
		"drain":   {Do: []state.Body{state.SetAvailability{Node: "a", Availability: cluster.Drained}}},
		"deploy": {Do: []state.Body{state.PutStack{Stack: "s", Services: []state.NamedSpec{
			{Name: "big", Spec: Bare(spec(1, 100))}, {Name: "db", Spec: Bare(spec(2, 1500))}, {Name: "web", Spec: Bare(spec(8, 500))},
		}}}},
	} {
		want, err := Foresee(t.Context(), w.st.View(), Facts{}, s)
		if err != nil {
			t.Fatal(err)
		}
		v, f := replayed(t, nobody.Record(w.st.View()))
		got, err := Foresee(t.Context(), v, f, s)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-cluster +recording):\n%s", name, d)
		}
	}
}

// What was measured, and who is in quarantine, is recorded, too.
func TestMeasurementsAreRecorded(t *testing.T) {
	w := newWorld(t, time.Now(), "a", "b", "c")
	w.deploy(map[string]cluster.ServiceSpec{"web": spec(2, 500)})
	w.settle()
	w.runAll()
	c := &Controller{book: usage.NewBook(), stock: newStock(), held: map[cluster.NodeID]time.Time{"c": time.Now().Add(time.Hour)}}
	for _, task := range w.wanted(web) {
		used := cluster.Resources{MilliCPU: 700, Memory: 1 << 30}
		c.book.Add(time.Now(), task.Node, used.Add(used), []usage.Sample{{Slot: slotOf(task), Used: used}})
	}
	c.stock.put("b", api.HeldImages{"sha256:1": 7, "sha256:of another": 9})
	v, f := replayed(t, c.Record(w.st.View()))
	want, got := c.Facts().Usage(w.st.View()), f.Usage(v)
	if d := cmp.Diff(want, got); d != "" || len(got) == 0 {
		t.Errorf("measured (-cluster +recording):\n%s", d)
	}
	asked := map[string]bool{"sha256:1": true, "sha256:of another": true}
	images := map[string]placement.Image{"sha256:1": {Size: 7, On: map[cluster.NodeID]bool{"b": true}}}
	if d := cmp.Diff(images, f.Images(asked)); d != "" {
		t.Errorf("images (-of services +recording):\n%s", d)
	}
	if until := f.Quarantine["c"]; !until.Equal(c.held["c"]) {
		t.Errorf("quarantine of c until %s, want %s", until, c.held["c"])
	}
}

const secret = "hush-hush"

// fill puts the secret into every text that a value has room for.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(secret)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}

// TestNoSecretIsRecorded: nothing of the containers but their images, nothing that
// people or programs wrote, no key and no address.
func TestNoSecretIsRecorded(t *testing.T) {
	w := newWorld(t, t0, "a")
	s := spec(1, 100)
	image := s.Template.Container.Image
	fill(reflect.ValueOf(&s.Template.Container).Elem())
	s.Template.Container.Image = image
	note := cluster.Note{Author: secret, Message: secret}
	put := state.PutStack{Stack: "s", Services: []state.NamedSpec{{Name: "web", Spec: s}}, Note: note}
	w.do(put)
	w.settle()
	put.Services[0].Spec.Template.Force++ // an earlier generation
	w.do(put)
	w.settle()
	for task := range w.st.View().Tasks() {
		w.do(state.Observe{Node: "a", Tasks: []state.TaskObserved{{Task: task.ID, Observed: cluster.Observed{
			Phase: cluster.PhaseExited, Final: true, ExitCode: 1, Error: secret, ContainerID: secret, Address: secret,
		}}}})
		w.do(state.Reconcile{Stop: []state.StopTask{{Task: task.ID, Reason: secret}}})
	}
	w.do(state.PutSealed{Name: "registry-login", Sealed: &cluster.Sealed{Key: secret, Nonce: []byte(secret), Ciphertext: []byte(secret)}})
	w.do(state.PutToken{Token: cluster.Token{ID: secret, SecretHash: secret, Uses: 1, Expires: t0.Add(time.Hour)}})
	w.do(state.UpdateNode{ID: "a", Address: secret, EngineError: secret})
	w.do(state.Reconcile{SetAside: []state.SetAside{{Service: web, Reason: secret}}})

	var nobody *Controller
	data, err := json.Marshal(nobody.Record(w.st.View()))
	if err != nil {
		t.Fatal(err)
	}
	if i := strings.Index(string(data), secret); i >= 0 {
		t.Errorf("recorded: ...%s", data[max(i-200, 0):i+len(secret)])
	}
	if !strings.Contains(string(data), image.Ref) {
		t.Error("the image is not recorded")
	}
	// What is there at all besides: whoever adds a field says whether it may go out.
	for _, kind := range []struct {
		of    any
		known int
	}{{cluster.Node{}, 26}, {cluster.Service{}, 12}, {cluster.ServiceSpec{}, 9}, {cluster.Template{}, 11}, {cluster.Observed{}, 12}} {
		if n := reflect.TypeOf(kind.of).NumField(); n != kind.known {
			t.Errorf("%T has %d fields, %d are looked at here: does record.go leave out what must not leave?", kind.of, n, kind.known)
		}
	}
}

func TestRecordingsThatAreNone(t *testing.T) {
	for name, r := range map[string]api.Recording{
		"another format":      {Format: 2},
		"a negative capacity": {Format: 1, Nodes: []cluster.Node{{ID: "a", Capacity: cluster.Resources{Memory: -1}}}},
		"a negative task":     {Format: 1, Tasks: []cluster.Task{{ID: "t", Resources: cluster.Resources{MilliCPU: -1}}}},
	} {
		if _, _, err := Replay(r); err == nil {
			t.Errorf("%s is replayed", name)
		}
	}
}
