package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/spec"
	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/extensions"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/stretchr/testify/require"
)

// The files of ../testdata are the meeting point: those in events and stored
// are what the core module writes, which its tests check byte for byte, and
// those in cloudevents are what the SDK writes, which its tests read.

var updateCloudEvents = flag.Bool("update.cloudevents", false, "rewrite the files of ../testdata/cloudevents")

const (
	headerPrefix      = "ce_"
	contentTypeHeader = "content-type"
)

// record is a message as the Kafka binding of CloudEvents 1.0.2 lays it out.
type record struct {
	Headers map[string]string `json:"metadata"`
	Value   json.RawMessage   `json:"payload"`
}

var (
	_ binding.Message               = record{}
	_ binding.MessageMetadataReader = record{}
	_ binding.BinaryWriter          = (*record)(nil)
)

func (r record) ReadEncoding() binding.Encoding { return binding.EncodingBinary }

func (r record) ReadStructured(context.Context, binding.StructuredWriter) error {
	return binding.ErrNotStructured
}

func (r record) ReadBinary(_ context.Context, to binding.BinaryWriter) error {
	version := spec.WithPrefix(headerPrefix).Version(r.Headers["ce_specversion"])
	if version == nil {
		return binding.ErrUnknownEncoding
	}
	for name, value := range r.Headers {
		var err error
		if name == contentTypeHeader {
			err = to.SetAttribute(version.AttributeFromKind(spec.DataContentType), value)
		} else if attribute := version.Attribute(name); attribute != nil {
			err = to.SetAttribute(attribute, value)
		} else if extension, ok := strings.CutPrefix(name, headerPrefix); ok {
			err = to.SetExtension(extension, value)
		}
		if err != nil {
			return err
		}
	}
	return to.SetData(bytes.NewReader(r.Value))
}

func (r record) GetAttribute(kind spec.Kind) (spec.Attribute, any) {
	attribute := spec.WithPrefix(headerPrefix).Version(r.Headers["ce_specversion"]).AttributeFromKind(kind)
	if kind == spec.DataContentType {
		return attribute, r.Headers[contentTypeHeader]
	}
	return attribute, r.Headers[attribute.PrefixedName()]
}

func (r record) GetExtension(name string) any { return r.Headers[headerPrefix+name] }

func (r record) Finish(error) error { return nil }

func (r *record) Start(context.Context) error {
	r.Headers = map[string]string{}
	return nil
}

func (r *record) SetAttribute(attribute spec.Attribute, value any) error {
	if attribute.Kind() == spec.DataContentType {
		return r.set(contentTypeHeader, value)
	}
	return r.set(headerPrefix+attribute.Name(), value)
}

func (r *record) SetExtension(name string, value any) error { return r.set(headerPrefix+name, value) }

func (r *record) set(name string, value any) error {
	if value == nil {
		return nil
	}
	text, err := types.Format(value)
	r.Headers[name] = text
	return err
}

func (r *record) SetData(data io.Reader) (err error) {
	r.Value, err = io.ReadAll(data)
	return err
}

func (r *record) End(context.Context) error { return nil }

func TestTheSDKReadsOurEvents(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/events/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			written := readRecord(t, file)
			read, err := binding.ToEvent(t.Context(), written)
			require.NoError(t, err)
			require.NoError(t, read.Validate())

			h := maps.Clone(written.Headers)
			take := func(name string) string {
				value := h[name]
				delete(h, name)
				require.NotEmpty(t, value, name)
				return value
			}
			require.Equal(t, take("ce_specversion"), read.SpecVersion())
			require.Equal(t, take("ce_id"), read.ID())
			require.Equal(t, take("ce_type"), read.Type())
			require.Equal(t, take("ce_source"), read.Source())
			require.Equal(t, take("ce_subject"), read.Subject())
			require.Equal(t, take("ce_time"), types.FormatTime(read.Time()))
			require.Equal(t, take("content-type"), read.DataContentType())
			require.JSONEq(t, string(written.Value), string(read.Data()))

			seen, err := types.ToTime(read.Extensions()["seen"])
			require.NoError(t, err)
			require.Equal(t, h["ce_seen"], types.FormatTime(seen))
			depth, err := types.ToInteger(read.Extensions()["depth"])
			require.NoError(t, err)
			require.Equal(t, h["ce_depth"], types.FormatInteger(depth))
			tracing, found := extensions.GetDistributedTracingExtension(*read)
			require.True(t, found)
			require.Equal(t, h["ce_traceparent"], tracing.TraceParent)
			require.Equal(t, h["ce_tracestate"], tracing.TraceState)
			require.Len(t, read.Extensions(), len(h), "every other header is an extension")
			for name, value := range read.Extensions() {
				require.LessOrEqual(t, len(name), 20, "CloudEvents 1.0.2, naming conventions")
				require.Equal(t, h["ce_"+name], value)
			}
		})
	}
}

func TestTheSDKReadsWhatRecordsHold(t *testing.T) {
	t.Parallel()
	stored, err := os.ReadFile("../testdata/stored/sent.json")
	require.NoError(t, err)
	var read event.Event
	require.NoError(t, json.Unmarshal(stored, &read))
	require.NoError(t, read.Validate())
	want, err := binding.ToEvent(t.Context(), readRecord(t, "../testdata/events/sent.json"))
	require.NoError(t, err)
	require.NoError(t, want.Context.SetExtension("depth", 2), "a number in JSON, text in a header")
	require.Equal(t, want.Context, read.Context)
	require.JSONEq(t, string(want.Data()), string(read.Data()))
}

// An event with sent.json as the model, and one of a type that is not ours,
// made by the SDK's own means.
func TestWeReadEventsOfTheSDK(t *testing.T) {
	t.Parallel()
	sent := sdkSent(t)
	structured, err := json.Marshal(sent)
	require.NoError(t, err)
	foreign := event.New()
	foreign.SetID("7f1c")
	foreign.SetSource("https://stock.example.com/graz")
	foreign.SetType("com.example.stock.changed")
	foreign.SetSubject("A-1017")
	require.NoError(t, foreign.SetData("application/json; charset=utf-8", []byte(`{"sku":"A-1017","left":3}`)))

	for name, written := range map[string]record{
		"sent_binary":     inBinaryMode(t, sent),
		"sent_structured": {map[string]string{contentTypeHeader: event.ApplicationCloudEventsJSON + "; charset=UTF-8"}, structured},
		"foreign":         inBinaryMode(t, foreign),
	} {
		file := filepath.Join("../testdata/cloudevents", name+".json")
		if *updateCloudEvents {
			writeRecord(t, file, written)
		}
		want := readRecord(t, file)
		require.Equal(t, want.Headers, written.Headers, name)
		require.JSONEq(t, string(want.Value), string(written.Value), name)
	}
}

func sdkSent(t *testing.T) event.Event {
	t.Helper()
	model := readRecord(t, "../testdata/events/sent.json")
	sent := event.New()
	sent.SetID(model.Headers["ce_id"])
	sent.SetType(model.Headers["ce_type"])
	sent.SetSource(model.Headers["ce_source"])
	sent.SetSubject(model.Headers["ce_subject"])
	sent.SetTime(requireTime(t, model.Headers["ce_time"]))
	sent.SetDataSchema("https://schemas.example.com/sent")
	sent.SetExtension("seen", requireTime(t, model.Headers["ce_seen"]))
	sent.SetExtension("depth", 2)
	for _, name := range []string{"partitionkey", "recipient", "tenant", "category", "labels", "causation"} {
		sent.SetExtension(name, model.Headers["ce_"+name])
	}
	extensions.DistributedTracingExtension{
		TraceParent: model.Headers["ce_traceparent"],
		TraceState:  model.Headers["ce_tracestate"],
	}.AddTracingAttributes(&sent)
	require.NoError(t, sent.SetData(event.ApplicationJSON, model.Value))
	require.NoError(t, sent.Validate())
	return sent
}

func inBinaryMode(t *testing.T, e event.Event) record {
	t.Helper()
	var written record
	_, err := binding.Write(binding.WithForceBinary(t.Context()), binding.ToMessage(&e), nil, &written)
	require.NoError(t, err)
	return written
}

func requireTime(t *testing.T, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, text)
	require.NoError(t, err)
	return parsed
}

func readRecord(t *testing.T, file string) record {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	var read record
	require.NoError(t, json.Unmarshal(content, &read))
	return read
}

func writeRecord(t *testing.T, file string, r record) {
	t.Helper()
	content, err := json.MarshalIndent(r, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, append(content, '\n'), 0o644))
}
