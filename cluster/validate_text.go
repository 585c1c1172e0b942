package cluster

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// validateText refuses strings that cannot reach a container unchanged: NUL
// ends a string of the kernel's, and bytes that are not UTF-8 do not survive
// the encodings in between.
func validateText(field string, s *ServiceSpec) error {
	return checkText(field, reflect.ValueOf(s))
}

// composeNames are the parts of a spec that Compose calls otherwise; an empty
// name stands for no level of its own.
var composeNames = map[string]string{
	"template":   "",
	"container":  "",
	"ref":        "",
	"env":        "environment",
	"mounts":     "volumes",
	"stop_grace": "stop_grace_period",
	"placement":  "x-muster",
}

func checkText(field string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		return checkString(field, v.String())
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return checkText(field, v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkText(fmt.Sprintf("%s[%d]", field, i), v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if compose, ok := composeNames[name]; ok {
				name = compose
			}
			if err := checkText(at(field, name), v.Field(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		m, ok := v.Interface().(map[string]string)
		if !ok {
			return Invalid(field, fmt.Sprintf("has values of type %s", v.Type()), "")
		}
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if err := first(checkString(field, key), checkString(at(field, clip(key)), m[key])); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkString(field, s string) error {
	switch {
	case strings.IndexByte(s, 0) >= 0:
		return Invalid(field, "holds a NUL byte", "remove it")
	case !utf8.ValidString(s):
		return Invalid(field, "is not UTF-8", "encode it, for example in base64")
	}
	return nil
}
