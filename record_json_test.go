package notify

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A record is written as its fields' tags say, whichever of them are set: what is
// written by hand leaves none out.
func TestARecordIsWrittenAsItsTagsSay(t *testing.T) {
	t.Parallel()
	same := func(r *record, name string) {
		t.Helper()
		outbox, err := r.outboxJSON()
		require.NoError(t, err)
		want, err := json.Marshal(recordJSON{record: r, Outbox: outbox})
		require.NoError(t, err)
		got, err := r.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), name)
		got, err = r.AppendBinary([]byte("before"))
		require.NoError(t, err)
		require.Equal(t, "before"+string(want), string(got), name)
	}
	same(&record{}, "an empty one")
	full := &record{Outbox: []entry{{seq: 1, work: &work{Version: 1, ID: "id", Topic: routeTopic}}, {seq: 2, published: true}}}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[record]()) {
		if !field.IsExported() || field.Name == "Outbox" || field.Anonymous {
			continue
		}
		one := &record{}
		setAll(reflect.ValueOf(one).Elem().FieldByIndex(field.Index))
		same(one, field.Name)
		setAll(reflect.ValueOf(full).Elem().FieldByIndex(field.Index))
	}
	same(full, "a full one")
}

func TestWorkIsWrittenAsItsTagsSay(t *testing.T) {
	t.Parallel()
	full := &work{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[work]()) {
		one := &work{}
		setAll(reflect.ValueOf(one).Elem().FieldByIndex(field.Index))
		setAll(reflect.ValueOf(full).Elem().FieldByIndex(field.Index))
		for _, w := range []*work{{}, one, full} {
			want, err := json.Marshal(w)
			require.NoError(t, err)
			got, err := w.encode()
			require.NoError(t, err)
			require.Equal(t, string(want), string(got), field.Name)
		}
	}
}

// setAll sets everything that can be set to something else than zero.
func setAll(v reflect.Value) {
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 3, 14, 9, 26, 53, 589_793_000, time.FixedZone("", 3600))))
	case v.Type() == reflect.TypeFor[Route]():
		v.Set(reflect.ValueOf(First(PushChannel, All(EmailChannel, SMSChannel))))
	case v.Kind() == reflect.Pointer && v.Type() != reflect.TypeFor[*rendered]():
		v.Set(reflect.New(v.Type().Elem()))
		setAll(v.Elem())
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				setAll(v.Field(i))
			}
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		if v.Type().Elem() != v.Type() && v.Type() != reflect.TypeFor[[]plan]() {
			setAll(v.Index(0))
		}
	case v.Kind() == reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		setAll(key)
		setAll(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case v.Kind() == reflect.Interface:
		if text := reflect.ValueOf("any"); text.Type().AssignableTo(v.Type()) {
			v.Set(text)
		}
	case v.Kind() == reflect.String:
		v.SetString("a <text> \"of\" grüße")
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(7)
	case v.CanUint():
		v.SetUint(1)
	}
}
