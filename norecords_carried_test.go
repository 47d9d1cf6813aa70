package notify

import (
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/seed-6c01d079/notify/backend"
)

// record of a leg whose attempts are over, but for the last if it is open.
func recordAt(seq int64, attempts int, open bool) *record {
	r := &record{ID: "n_1", Seq: seq, Routed: true, Legs: []legRecord{{Channel: EmailChannel, State: legOpen}}}
	for range attempts {
		r.Legs[0].Attempts = append(r.Legs[0].Attempts, attemptRecord{Granted: 1, Over: true})
	}
	if open {
		r.Legs[0].Attempts[attempts-1].Over = false
	}
	return r
}

func TestCarriedRecordOfAStepThatIsTriedAgain(t *testing.T) {
	t.Parallel()
	load := func(c *carried) *record {
		stored, err := c.Load(t.Context(), "n_1")
		require.NoError(t, err)
		return stored.Body.(*record)
	}
	brought := recordAt(5, 0, false)
	first := &work{ID: "n_1", Leg: 1, Ordinal: 1, Record: brought}
	for _, tc := range []struct {
		name  string
		known *record // what the first try left
		then  *work
		want  func(then *work, known *record) *record
	}{
		{"it got further", recordAt(9, 1, true), first, func(_ *work, known *record) *record { return known }},
		{"the next step", recordAt(9, 1, false), &work{ID: "n_1", Leg: 1, Ordinal: 2, Record: recordAt(12, 1, false)}, func(then *work, _ *record) *record { return then.Record }},
		{"the next step of another process, in fewer moves", recordAt(9, 1, true), &work{ID: "n_1", Leg: 1, Ordinal: 2, Record: recordAt(8, 1, false)}, func(then *work, _ *record) *record { return then.Record }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := NoRecords(nil).(carrier).carries()
			c.bring(first)
			require.Same(t, brought, load(c))
			stored, err := c.Load(t.Context(), "n_1")
			require.NoError(t, err)
			stored.Body = tc.known
			_, err = c.Store(t.Context(), stored)
			require.NoError(t, err)
			c.leave(first, false)

			c.bring(tc.then)
			require.Same(t, tc.want(tc.then, tc.known), load(c))
			_, err = c.Store(t.Context(), stored)
			require.ErrorIs(t, err, backend.ErrConflict)
			c.leave(tc.then, true)
			_, err = c.Load(t.Context(), "n_1")
			require.ErrorIs(t, err, backend.ErrNotFound)
		})
	}
}

// Work that came before the step which published it marked that is not published
// again: with nobody to absorb it, the message would be sent twice.
func TestCarriedWorkIsNotDoubledByItsStep(t *testing.T) {
	t.Parallel()
	c := NoRecords(nil).(carrier).carries()
	unpublished := func() (seqs []int64) {
		stored, err := c.Load(t.Context(), "n_1")
		require.NoError(t, err)
		for _, e := range stored.Body.(*record).Outbox {
			if !e.published {
				seqs = append(seqs, e.seq)
			}
		}
		return seqs
	}
	decide := func(seq int64, outbox ...entry) {
		stored, err := c.Load(t.Context(), "n_1")
		require.NoError(t, err)
		r := recordAt(seq, 0, false)
		r.Outbox = outbox
		stored.Body = r
		_, err = c.Store(t.Context(), stored)
		require.NoError(t, err)
	}
	route := &work{ID: "n_1", Record: recordAt(1, 0, false)}
	c.bring(route)
	decide(4, entry{seq: 2, event: &decided{}}, entry{seq: 3, work: &work{Leg: 1, Ordinal: 1}}, entry{seq: 4, event: &decided{}})
	require.Equal(t, []int64{2, 3, 4}, unpublished())

	deliver := &work{ID: "n_1", Leg: 1, Ordinal: 1, Record: recordAt(4, 0, false)}
	c.bring(deliver) // while the route step is publishing
	require.Equal(t, []int64{4}, unpublished(), "what comes after the work may not have been published yet")
	c.leave(route, true)

	decide(5, entry{seq: 5, work: &work{Leg: 1, Ordinal: 1}}) // put back, which fails
	c.leave(deliver, false)
	c.bring(deliver)
	require.Equal(t, []int64{5}, unpublished(), "the same work, but decided by its own step")
}

// The cap drops what waits to be tried again, never what is under way.
func TestCarriedRecordsAreBounded(t *testing.T) {
	t.Parallel()
	c := NoRecords(nil).(carrier).carries()
	for n := range 4 * maxCarried {
		w := &work{ID: strconv.Itoa(n), Record: &record{ID: strconv.Itoa(n), Seq: 1}}
		c.bring(w)
		_, err := c.Load(t.Context(), w.ID)
		require.NoError(t, err, "step %d is under way", n)
		c.leave(w, false)
	}
	require.LessOrEqual(t, len(c.held), maxCarried)
}

// Work of a newer version, also of the record in it, is kept for a program that
// understands it.
func TestNewerWork(t *testing.T) {
	t.Parallel()
	for _, w := range []work{
		{Version: workVersion + 1, ID: "n_1"},
		{Version: workVersion, ID: "n_1", Record: &record{Version: recordVersion + 1, ID: "n_1", AcceptedAt: time.Now()}},
	} {
		m, err := w.wire()
		require.NoError(t, err)
		_, err = workOf(backend.EntryOf(message.NewMessage("1", m.Payload)))
		require.ErrorIs(t, err, errNewer)
	}
}
