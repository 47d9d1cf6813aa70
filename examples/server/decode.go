package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify"
)

// decode reads a notification, all of it but its key. Unlike encoding/json it
// refuses names that are not known, and says all that is wrong at once.
func decode(body []byte) (notify.Notification, *problem) {
	var nt notify.Notification
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		p := notJSON
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			p = p.with("It is wrong at byte " + strconv.FormatInt(syntax.Offset, 10) + ".")
		}
		return nt, &p
	}
	known := map[string]any{
		"to": &nt.To, "content": &nt.Content, "template": &nt.Template, "data": &nt.Data, "route": &nt.Route,
		"not_before": &nt.NotBefore, "expires_at": &nt.ExpiresAt, "urgent": &nt.Urgent,
		"tenant": &nt.Tenant, "category": &nt.Category, "labels": &nt.Labels,
	}
	var found []fieldError
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		target := known[name]
		switch {
		case name == "key":
			found = append(found, fieldError{Pointer: "#/key", Detail: "belongs into the header " + keyHeader})
		case target == nil:
			found = append(found, unknownField("#", name))
		default:
			if wrong := decodeField("#/"+name, fields[name], target); wrong != nil {
				found = append(found, *wrong)
			}
		}
	}
	if len(found) > 0 {
		p := invalid.with("", found...)
		return nt, &p
	}
	return nt, nil
}

func decodeField(pointer string, raw json.RawMessage, target any) *fieldError {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	err := decoder.Decode(target)
	var kind *json.UnmarshalTypeError
	wrong := fieldError{Pointer: pointer, Detail: form(reflect.TypeOf(target).Elem())}
	switch {
	case err == nil:
		if _, route := target.(*notify.Route); route && !routeFields(raw) {
			return &wrong
		}
		return nil
	case errors.As(err, &kind) && kind.Field != "":
		wrong = fieldError{Pointer: pointer + "/" + strings.ReplaceAll(kind.Field, ".", "/"), Detail: form(kind.Type)}
	case strings.HasPrefix(err.Error(), unknown):
		name, _ := strconv.Unquote(strings.TrimPrefix(err.Error(), unknown))
		wrong = unknownField(pointer, name)
	}
	return &wrong
}

// unknown begins the error of a field that is not known, which encoding/json has
// no type for.
const unknown = "json: unknown field "

func unknownField(in, name string) fieldError {
	ofField := func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, ofField) { // it may be somebody's address
		return fieldError{Pointer: in, Detail: "has a field that is not known"}
	}
	return fieldError{Pointer: in + "/" + name, Detail: "is not known"}
}

// form says what a value of the type looks like in JSON.
func form(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "has to be a time as RFC 3339 writes it, such as 2026-11-25T18:00:00Z"
	case t == reflect.TypeFor[notify.Route]():
		return `has to be a channel such as "email", or {"first": [...]} or {"all": [...]}, with "on_doubt" or without`
	case t == reflect.TypeFor[[]byte]():
		return "has to be a string in base64"
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "has to be an object of the form that the README shows"
	case reflect.Slice:
		return "has to be an array"
	case reflect.Bool:
		return "has to be true or false"
	default:
		return "has to be a " + t.Kind().String()
	}
}

// routeFields tells whether a route has no fields but its own, which Route's own
// decoder passes over.
func routeFields(raw json.RawMessage) bool {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return true // a channel
	}
	for name, value := range object {
		switch name {
		case "on_doubt":
		case "first", "all":
			var steps []json.RawMessage
			if json.Unmarshal(value, &steps) != nil || slices.ContainsFunc(steps, func(s json.RawMessage) bool { return !routeFields(s) }) {
				return false
			}
		default:
			return false
		}
	}
	return true
}
