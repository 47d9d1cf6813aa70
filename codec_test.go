package notify

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
)

func encodedSent(t *testing.T, c *codec) *message.Message {
	t.Helper()
	m, err := c.encode(sampleFact(t, c, samples()[5]))
	require.NoError(t, err)
	return m
}

func TestEncodeLeavesOutWhatIsEmpty(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	m, err := c.encode(newFact(c, Envelope{ID: "e1"}, ProviderUp{}))
	require.NoError(t, err)
	require.Equal(t, message.Metadata{
		"ce_specversion":  "1.0",
		"ce_id":           "e1",
		"ce_type":         "notify.provider_up.v1",
		"ce_source":       "/shop",
		"ce_partitionkey": "e1",
		"content-type":    "application/json",
	}, m.Metadata)
	require.Equal(t, `{"channel":"","provider":""}`, string(m.Payload))
	require.Equal(t, "e1", backend.Key(m))
}

func TestEncodeWritesTimesInUTC(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	vienna := time.FixedZone("CET", 3600)
	m, err := c.encode(newFact(c, Envelope{ID: "e1", Time: time.Date(2026, 1, 1, 0, 30, 0, 10, vienna)}, Opened{}))
	require.NoError(t, err)
	require.Equal(t, "2025-12-31T23:30:00.00000001Z", m.Metadata[attrTime])
}

func TestTracestateNeedsTraceparent(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	m, err := c.encode(newFact(c, Envelope{ID: "e1", TraceState: "a=b"}, Opened{}))
	require.NoError(t, err)
	require.NotContains(t, m.Metadata, attrTraceState)
}

func TestLabelsAreAttributeTextWhateverTheyHold(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	for _, value := range []string{"", `"quoted"`, "two\nlines", "del\x7f", "next\u0085line", "\ufffe", "\U0001ffff", "smile 🙂 <&>"} {
		labels := map[string]string{"label": value, "other " + value: "1"}
		m, err := c.encode(newFact(c, Envelope{ID: "e1", Labels: labels}, Opened{}))
		require.NoError(t, err, "%q", value)
		require.Empty(t, attributeProblem(m.Metadata[attrLabels]), "%q", value)
		decoded, err := c.decode(m)
		require.NoError(t, err, "%q", value)
		require.Equal(t, labels, decoded.Labels)
	}
}

func TestEncodeReportsEveryProblem(t *testing.T) {
	t.Parallel()
	type notRegistered struct{}
	c := newCodec("")
	for name, tc := range map[string]struct {
		fact   *fact
		fields []string
	}{
		"nothing": {newFact(c, Envelope{}, nil), []string{"ce_id", "ce_type", "ce_source", "data"}},
		"not registered": {
			newFact(c, Envelope{ID: "e1", Source: "/a"}, notRegistered{}),
			[]string{"ce_type"},
		},
		"pointer":        {newFact(c, Envelope{ID: "e1", Source: "/a"}, &Sent{}), []string{"ce_type"}},
		"another's type": {newFact(c, Envelope{ID: "e1", Source: "/a", Type: "notify.read.v1"}, Sent{}), []string{"ce_type"}},
		"no raw type":    {newFact(c, Envelope{ID: "e1", Source: "/a"}, Raw(`{}`)), []string{"ce_type"}},
		"raw":            {newFact(c, Envelope{ID: "e1", Source: "/a", Type: "x"}, Raw(`{`)), []string{"data"}},
		"not JSON":       {newFact(c, Envelope{ID: "e1", Source: "/a"}, Settled{Elapsed: inf()}), []string{"data"}},
		"values": {
			newFact(c, Envelope{
				ID: "e\x00", Source: "not a URI", NotificationID: "\xff", RecipientID: "two\nlines",
				Time: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), Depth: -1,
			}, Opened{}),
			[]string{"ce_id", "ce_source", "ce_time", "ce_subject", "ce_partitionkey", "ce_recipient", "ce_depth"},
		},
		"large": {
			newFact(c, Envelope{ID: "e1", Source: "/a", Tenant: strings.Repeat("a", maxAttributesBytes)}, Opened{}),
			[]string{"attributes"},
		},
		"large data": {
			newFact(c, Envelope{ID: "e1", Source: "/a"}, Clicked{Link: strings.Repeat("a", maxPayloadBytes)}),
			[]string{"data"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.encode(tc.fact)
			requireFields(t, err, tc.fields)
			to, err := c.appendStored([]byte("before"), tc.fact)
			requireFields(t, err, tc.fields)
			require.Equal(t, "before", string(to))
			require.Equal(t, strings.Contains(name, "large"), errorsIsTooLarge(err))
		})
	}
}

func TestDecodeReportsEveryProblem(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	for name, tc := range map[string]struct {
		change func(*message.Message)
		fields []string
	}{
		"nothing": {
			func(m *message.Message) { m.Metadata, m.Payload = nil, nil },
			[]string{"ce_specversion", "ce_id", "ce_type", "ce_source", "data"},
		},
		"version":         {set("ce_specversion", "0.3"), []string{"ce_specversion"}},
		"no version":      {set("ce_specversion", ""), []string{"ce_specversion"}},
		"time":            {set("ce_time", "secret"), []string{"ce_time"}},
		"time of no year": {set("ce_time", "0000-01-01T00:00:00+23:00"), []string{"ce_time"}},
		"seen":            {set("ce_seen", "secret"), []string{"ce_seen"}},
		"depth":           {set("ce_depth", "-1"), []string{"ce_depth"}},
		"large depth":     {set("ce_depth", "2147483648"), []string{"ce_depth"}},
		"labels":          {set("ce_labels", `{"secret":1}`), []string{"ce_labels"}},
		"no labels":       {set("ce_labels", `null`), []string{"ce_labels"}},
		"source":          {set("ce_source", "secret:// a"), []string{"ce_source"}},
		"not UTF-8":       {set("ce_tenant", "secret\xff"), []string{"ce_tenant"}},
		"control":         {set("ce_id", "secret\x1b"), []string{"ce_id"}},
		"noncharacter":    {set("ce_subject", "secret\ufdd0"), []string{"ce_subject"}},
		"extension":       {set("ce_other", "secret\xff"), []string{"extension attributes"}},
		"large":           {set("ce_other", strings.Repeat("secret", maxAttributesBytes)), []string{"attributes"}},
		"not JSON":        {set("content-type", "text/plain; secret"), []string{"content-type"}},
		"structured":      {set("content-type", "application/cloudevents+avro"), []string{"content-type"}},
		"no data":         {payload(" null "), []string{"data"}},
		"data is no JSON": {payload(`{"secret`), []string{"data"}},
		"data of a kind":  {payload(`{"attempt":12345}]`), []string{"data"}},
		"data misfits":    {payload(`{"attempt":"secret"}`), []string{"data"}},
		"array":           {payload(`["secret"]`), []string{"data"}},
		"number":          {payload(`{"attempt":12345.5}`), []string{"data"}},
		"data not UTF-8":  {payload("{\"code\":\"secret\xff\"}"), []string{"data"}},
		"large data":      {payload(`"` + strings.Repeat("secret", maxPayloadBytes) + `"`), []string{"data"}},
		"unknown, no JSON": {
			func(m *message.Message) { m.Metadata[attrType], m.Payload = "notify.secret.v9", []byte("secret") },
			[]string{"data"},
		},
		"two": {
			func(m *message.Message) { m.Metadata[attrTime], m.Metadata[attrDepth] = "secret", "secret" },
			[]string{"ce_time", "ce_depth"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := encodedSent(t, c)
			tc.change(m)
			_, err := c.decode(m)
			requireFields(t, err, tc.fields)
			require.NotContains(t, err.Error(), "secret", "values stay out of errors")
			require.NotContains(t, err.Error(), "12345", "values stay out of errors")
			require.Equal(t, strings.Contains(name, "large") && name != "large depth", errorsIsTooLarge(err))
		})
	}
}

func TestDecodeTakesWhatOthersWrite(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	for name, change := range map[string]func(*message.Message){
		"content type":    set("content-type", "application/json; charset=UTF-8"),
		"JSON of a kind":  set("content-type", "application/vnd.shop+json"),
		"no content type": set("content-type", ""),
		"no key":          set("ce_partitionkey", ""),
		"another's":       set("correlation_id", "\xff"),
		"no attribute":    set("ce_Not-One", "\xff"),
		"spaces":          func(m *message.Message) { m.Payload = append([]byte(" \n"), m.Payload...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := encodedSent(t, c)
			change(m)
			decoded, err := c.decode(m)
			require.NoError(t, err)
			require.Equal(t, samples()[5], decoded.data())
			require.Empty(t, decoded.foreign())
		})
	}
}

func TestUnknownFieldsAndAttributesSurvive(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	const data = ` {"attempt": 1, "leg":1,"channel":"sms","provider":"p", "added_in_v1.7": {"é": [1.0, 2e3]} } `
	m := encodedSent(t, c)
	m.Payload = []byte(data)
	m.Metadata["ce_added"] = "in 1.7"
	decoded, err := c.decode(m)
	require.NoError(t, err)
	require.Equal(t, 1, decoded.data().(Sent).Leg.Leg)

	again, err := c.encode(decoded)
	require.NoError(t, err)
	require.Equal(t, m.Metadata, again.Metadata)
	require.Equal(t, data, string(again.Payload))

	stored, err := c.appendStored(nil, decoded)
	require.NoError(t, err)
	loaded, err := c.loadStored(stored)
	require.NoError(t, err)
	again, err = c.encode(loaded)
	require.NoError(t, err)
	require.Equal(t, m.Metadata, again.Metadata)
	require.JSONEq(t, data, string(again.Payload))
}

// What is no attribute stays out of a record, where it would have no name.
func TestStoredHoldsAttributesOnly(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	m, err := c.encode(sampleFact(t, c, samples()[5]))
	require.NoError(t, err)
	f, err := c.decode(m)
	require.NoError(t, err)
	want, err := c.appendStored(nil, f)
	require.NoError(t, err)
	f.event.(*wireEvent).foreign = message.Metadata{"x": "1", "ce_data": "2", "ce_UPPER": "3"}
	got, err := c.appendStored(nil, f)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

func TestUnknownTypeIsRaw(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	m := encodedSent(t, c)
	m.Metadata[attrType] = "notify.sent.v2"
	decoded, err := c.decode(m)
	require.NoError(t, err)
	require.Equal(t, Raw(m.Payload), decoded.data())
	require.Equal(t, "notify.sent.v2", decoded.Type)
	again, err := c.encode(decoded)
	require.NoError(t, err)
	require.Equal(t, m.Metadata, again.Metadata)
	require.Equal(t, m.Payload, again.Payload)
}

// A record holds stored events inside a document of its own, and what is
// published again must be what was published first.
func TestStoredBytesOutliveBeingEmbedded(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	for _, sample := range samples() {
		f := sampleFact(t, c, sample)
		want, err := c.encode(f)
		require.NoError(t, err)
		stored, err := c.appendStored(nil, f)
		require.NoError(t, err)
		document, err := json.Marshal(map[string]json.RawMessage{"event": stored})
		require.NoError(t, err)
		require.Equal(t, `{"event":`+string(stored)+`}`, string(document))

		loaded, err := c.loadStored(stored)
		require.NoError(t, err)
		require.Equal(t, f.Envelope, loaded.Envelope)
		require.Equal(t, sample, loaded.data())
		got, err := c.encode(loaded)
		require.NoError(t, err)
		require.Equal(t, want.Metadata, got.Metadata)
		require.Equal(t, string(want.Payload), string(got.Payload))
	}
}

func TestLoadStoredRefuses(t *testing.T) {
	t.Parallel()
	c := newCodec("/shop")
	for name, tc := range map[string]struct{ stored, problem string }{
		"nothing":   {``, "must be a JSON object"},
		"no object": {`["secret"]`, "must be a JSON object"},
		"not UTF-8": {"{\"id\":\"secret\xff\"}", "must be valid UTF-8"},
		"empty":     {`{}`, "ce_id: is missing"},
		"binary":    {`{"id":"1","data_base64":"secret"}`, "data: must be JSON"},
		"object":    {`{"id":{"secret":1}}`, "id: must be a string"},
		"nested":    {`{"datacontenttype":"application/cloudevents+json","data":{}}`, "content-type: must be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.loadStored([]byte(tc.stored))
			require.ErrorContains(t, err, tc.problem)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func set(name, value string) func(*message.Message) {
	return func(m *message.Message) { m.Metadata[name] = value }
}

func payload(data string) func(*message.Message) {
	return func(m *message.Message) { m.Payload = []byte(data) }
}
