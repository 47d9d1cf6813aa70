package kafka_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
)

// kcat, a client of another make, reads what we wrote.
func TestKcat(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("kcat")
	if err != nil {
		t.Skip("kcat is not installed: apt-get install kcat")
	}
	brokers, common := cluster(t), config()
	b := open(t, brokers, common)
	pub, err := b.Publisher()
	require.NoError(t, err)
	require.NoError(t, pub.Publish("t", event(), message.NewMessage("bare", []byte("x"))))

	out, err := exec.CommandContext(t.Context(), path, "-C", "-b", strings.Join(brokers, ","), "-t", prefixOf(common)+"t", "-e", "-q", "-J").CombinedOutput()
	require.NoError(t, err, "%s", out)
	type record struct {
		Topic   string
		Key     *string
		Payload string
		Headers []string
	}
	read := map[string]record{}
	for line := range strings.Lines(string(out)) {
		var r record
		require.NoError(t, json.Unmarshal([]byte(line), &r), line)
		read[r.Payload] = r
	}
	require.Len(t, read, 2)
	r := read[`{"provider":"smtp"}`]
	require.Equal(t, prefixOf(common)+"t", r.Topic)
	require.Equal(t, "n_1", *r.Key)
	headers := map[string]string{}
	for i := 0; i+1 < len(r.Headers); i += 2 {
		headers[r.Headers[i]] = r.Headers[i+1]
	}
	want := map[string]string(event().Metadata)
	want["_watermill_message_uuid"] = "0197-uuid"
	require.Equal(t, want, headers)
	require.Nil(t, read["x"].Key)
}
