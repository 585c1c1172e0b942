package state

import (
	"reflect"
	"strconv"
	"time"

	"github.com/musterhq/muster/cluster"
)

// Version is the newest version of commands that this binary applies. It grows
// once a release, when that release is the first to bring a kind of command or
// a field of one. A command is proposed only when every voter knows what it
// needs (Needs, View.Commands).
const Version = 3

// NetworksSince is the version that brought networks.
const NetworksSince = 3

// Since is the version that brought the kind.
func (k Kind) Since() int {
	if k <= KindPutSealed {
		return 1
	}
	if k <= KindStepRotation {
		return 2
	}
	return 3
}

// Needs is the oldest version in which b means what it means here: that of its
// kind, or of the newest field in it that is set. A field that came later than
// its kind says so in its tag: `since:"2"`.
func Needs(b Body) int {
	return max(b.Kind().Since(), later.needs(reflect.ValueOf(b)))
}

// Trim returns b as the given version understands it: without the fields that
// came later. A kind that came later as a whole is returned as it is. b is not
// changed.
func Trim[B Body](b B, version int) B {
	if Needs(b) <= version {
		return b
	}
	return later.trim(reflect.ValueOf(b), version).Interface().(B)
}

// Commands is the newest version that every voter knows, and the voter that
// keeps it down; nil where none does. A node that is no voter any more counts
// no more.
func (v View) Commands() (version int, oldest *cluster.Node) {
	version = Version
	for n := range v.Nodes() {
		if knows := max(n.Commands, 1); n.Voter && knows < version {
			version, oldest = knows, n
		}
	}
	return version, oldest
}

// Level is the newest version that the log has needed so far: what a binary
// must know to vote in this cluster.
func (v View) Level() int { return max(v.level, 1) }

// laterFields knows the types that hold, at any depth, a field with a since
// tag, and which fields of a struct lead there. All others need not be looked
// into. It is asked for every task of every command.
type laterFields map[reflect.Type]*laterType

// laterType is nil for a type that holds none.
type laterType struct{ fields []laterField }

type laterField struct{ index, since int }

// later is of all commands.
var later = func() laterFields {
	const kinds = 256
	l := laterFields{}
	for k := range Kind(kinds) {
		if b, err := newBody(k); err == nil {
			l.note(reflect.TypeOf(b))
		}
	}
	return l
}()

var timeType = reflect.TypeFor[time.Time]()

// note looks through a type once, and reports whether it holds such a field.
func (l laterFields) note(t reflect.Type) bool {
	if known, ok := l[t]; ok {
		return known != nil
	}
	l[t] = nil
	var found laterType
	holds := false
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		holds = l.note(t.Elem())
	case reflect.Struct:
		if t == timeType {
			break
		}
		for i := range t.NumField() {
			f := t.Field(i)
			if !f.IsExported() {
				continue
			}
			if since := fieldSince(f); l.note(f.Type) || since > 1 {
				found.fields = append(found.fields, laterField{i, since})
			}
		}
		holds = len(found.fields) > 0
	}
	if holds {
		l[t] = &found
	}
	return holds
}

// fieldSince is the version that brought a field.
func fieldSince(f reflect.StructField) int {
	if n, err := strconv.Atoi(f.Tag.Get("since")); err == nil {
		return n
	}
	return 1
}

func (l laterFields) needs(v reflect.Value) int {
	version := 1
	t := l[v.Type()]
	if t == nil {
		return version
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			version = l.needs(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			version = max(version, l.needs(v.Index(i)))
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			version = max(version, l.needs(it.Value()))
		}
	case reflect.Struct:
		for _, f := range t.fields {
			if field := v.Field(f.index); isSet(field) {
				version = max(version, f.since, l.needs(field))
			}
		}
	}
	return version
}

// isSet reports whether a field is written: omitempty leaves empty lists out.
func isSet(v reflect.Value) bool {
	if k := v.Kind(); k == reflect.Slice || k == reflect.Map {
		return v.Len() > 0
	}
	return !v.IsZero()
}

// trim returns v, or a copy where something had to go.
func (l laterFields) trim(v reflect.Value, version int) reflect.Value {
	if l.needs(v) <= version {
		return v
	}
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Pointer:
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(l.trim(v.Elem(), version))
	case reflect.Slice:
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(l.trim(v.Index(i), version))
		}
	case reflect.Array:
		for i := range v.Len() {
			out.Index(i).Set(l.trim(v.Index(i), version))
		}
	case reflect.Map:
		out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for it := v.MapRange(); it.Next(); {
			out.SetMapIndex(it.Key(), l.trim(it.Value(), version))
		}
	case reflect.Struct:
		out.Set(v)
		for _, f := range l[v.Type()].fields {
			if f.since > version {
				out.Field(f.index).SetZero()
			} else {
				out.Field(f.index).Set(l.trim(v.Field(f.index), version))
			}
		}
	}
	return out
}
