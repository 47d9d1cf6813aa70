package notify

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

// golden is a message as a file holds it, indented.
type golden struct {
	Metadata map[string]string `json:"metadata"`
	Payload  json.RawMessage   `json:"payload"`
}

func readGolden(t *testing.T, path string) *message.Message {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err, "run go test -run Golden -update, and look at the difference")
	var read golden
	require.NoError(t, json.Unmarshal(content, &read))
	var payload bytes.Buffer
	require.NoError(t, json.Compact(&payload, read.Payload))
	m := message.NewMessage(read.Metadata[attrID], payload.Bytes())
	m.Metadata = read.Metadata
	return m
}

func writeGolden(t *testing.T, path string, m *message.Message) {
	t.Helper()
	var content bytes.Buffer
	encoder := json.NewEncoder(&content)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(golden{m.Metadata, json.RawMessage(m.Payload)}))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, content.Bytes(), 0o644))
}

// The files hold what is on the wire. A test that fails here says that readers
// of older programs may break: fields are only added.
func TestGoldenEvents(t *testing.T) {
	t.Parallel()
	c := newCodec("/elsewhere")
	for _, sample := range samples() {
		name := snakeCase(reflect.TypeOf(sample).Name())
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join("testdata", "events", name+".json")
			f := sampleFact(t, c, sample)
			encoded, err := c.encode(f)
			require.NoError(t, err)
			if *update {
				writeGolden(t, path, encoded)
			}
			want := readGolden(t, path)
			require.Equal(t, want.Metadata, encoded.Metadata)
			require.Equal(t, string(want.Payload), string(encoded.Payload))
			require.Equal(t, f.ID, encoded.UUID)
			require.NotContains(t, string(want.Payload), "@", "an event holds no address")

			decoded, err := c.decode(want)
			require.NoError(t, err)
			require.Equal(t, f.Envelope, decoded.Envelope)
			require.Equal(t, sample, decoded.data())
		})
	}
}

// Records of older programs hold this form. The SDK reads the file too.
func TestGoldenStored(t *testing.T) {
	t.Parallel()
	c := newCodec("/elsewhere")
	f := sampleFact(t, c, samples()[5])
	stored, err := c.appendStored(nil, f)
	require.NoError(t, err)
	path := filepath.Join("testdata", "stored", "sent.json")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, append(stored, '\n'), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(stored)+"\n")
	loaded, err := c.loadStored(want)
	require.NoError(t, err)
	require.Equal(t, f.Envelope, loaded.Envelope)
	require.Equal(t, f.data(), loaded.data())
}

func TestNoGoldenIsLeftOver(t *testing.T) {
	t.Parallel()
	if *update {
		t.Skip("the files are being written")
	}
	files, err := filepath.Glob(filepath.Join("testdata", "events", "*.json"))
	require.NoError(t, err)
	var want []string
	for _, sample := range samples() {
		want = append(want, filepath.Join("testdata", "events", snakeCase(reflect.TypeOf(sample).Name())+".json"))
	}
	slices.Sort(want)
	require.Equal(t, want, files)
}

// The files of testdata/cloudevents were written by the CloudEvents SDK; the
// e2e module has the test that makes them.
func TestReadsEventsOfTheSDK(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop/notify")
	sent := samples()[5].(Sent)
	for _, name := range []string{"sent_binary", "sent_structured"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			decoded, err := c.decode(readGolden(t, filepath.Join("testdata", "cloudevents", name+".json")))
			require.NoError(t, err)
			require.Equal(t, sent, decoded.data())
			require.Equal(t, sampleEnvelope("sent"), *decoded.Envelope)
			require.Equal(t, message.Metadata{"ce_dataschema": "https://schemas.example.com/sent"}, decoded.foreign())
		})
	}
	t.Run("foreign", func(t *testing.T) {
		t.Parallel()
		decoded, err := c.decode(readGolden(t, filepath.Join("testdata", "cloudevents", "foreign.json")))
		require.NoError(t, err)
		require.Equal(t, Raw(`{"sku":"A-1017","left":3}`), decoded.data())
		require.Equal(t, "com.example.stock.changed", decoded.Type)
		require.Equal(t, "A-1017", decoded.NotificationID)
		require.True(t, decoded.Time.IsZero())
	})
}
