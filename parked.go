package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/seed-6c01d079/notify/backend"
)

// Reports that name a message which no record has yet are parked: as a record
// of their own, whose ID is made of the message's alias.
const (
	parkedPrefix  = "parked/"
	parkedFor     = 72 * time.Hour
	parkedRecheck = 10 * time.Minute
	maxParked     = 16 // reports of one message
)

// parkedReport is a report at rest.
type parkedReport struct {
	Provider  string          `json:"provider"`
	MessageID string          `json:"message_id"`
	Type      string          `json:"type"`
	Data      json.RawMessage `json:"data"`
	EventID   string          `json:"event_id,omitempty"`
	At        time.Time       `json:"at"`
	Since     time.Time       `json:"since"` // when it was parked
}

// park stores a report, and looks again: its message may have become known
// meanwhile (16).
func (n *Notifier) park(ctx context.Context, rep Report) error {
	alias := messageAlias(rep.Provider, rep.MessageID)
	parked, revision, err := n.loadParked(ctx, alias)
	if err != nil {
		return err
	}
	name := n.codec.kindOf(reflect.TypeOf(rep.Event)).name
	event, _ := rep.about(Attempt{}) // its texts clipped
	data, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("notify: park a report: %w", err)
	}
	for _, p := range parked {
		if p.Type == name && p.EventID == rep.EventID && (p.EventID != "" || p.At.Equal(rep.At)) {
			return nil // it came twice, and waits already
		}
	}
	if len(parked) >= maxParked {
		return fmt.Errorf("notify: park a report: %w: %d wait for the same message", ErrOverloaded, len(parked))
	}
	parked = append(parked, parkedReport{
		Provider: rep.Provider, MessageID: rep.MessageID, Type: name, Data: data, EventID: rep.EventID, At: rep.At,
		Since: time.Now(),
	})
	if err := n.storeParked(ctx, alias, parked, revision); err != nil {
		return err
	}
	s, err := n.ledger.loadAlias(ctx, alias)
	if errors.Is(err, backend.ErrNotFound) {
		return nil
	}
	if err == nil {
		n.applyParked(ctx, s, []string{alias})
	}
	return nil // it is stored: whoever stores the outcome, or the sweep, applies it
}

func (n *Notifier) loadParked(ctx context.Context, alias string) ([]parkedReport, int64, error) {
	row, err := n.ledger.records.Load(ctx, parkedPrefix+alias)
	if errors.Is(err, backend.ErrNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("notify: load parked reports: %w", err)
	}
	data, err := row.Body.AppendBinary(nil)
	if err != nil {
		return nil, 0, fmt.Errorf("notify: load parked reports: %w", err)
	}
	var parked []parkedReport
	if err := json.Unmarshal(data, &parked); err != nil {
		return nil, 0, fmt.Errorf("notify: load parked reports: %w", err)
	}
	return parked, row.Revision, nil
}

func (n *Notifier) storeParked(ctx context.Context, alias string, parked []parkedReport, revision int64) error {
	data, err := json.Marshal(parked)
	if err != nil {
		return fmt.Errorf("notify: park a report: %w", err)
	}
	now := time.Now()
	row := backend.Record{
		ID: parkedPrefix + alias, Revision: revision, Body: backend.Bytes(data),
		Due: now.Add(parkedRecheck), Expires: parked[0].Since.Add(parkedFor),
	}
	if _, err := n.ledger.records.Store(ctx, row); err != nil {
		return fmt.Errorf("notify: park a report: %w", err)
	}
	n.sweeper.expect(row.Due)
	return nil
}

// applyParked applies the reports that wait for the record's new aliases.
// What fails stays parked for the sweep.
func (n *Notifier) applyParked(ctx context.Context, s stored, aliases []string) {
	for _, alias := range aliases {
		err := retryConflicts(ctx, func() error { return n.unpark(ctx, s.ID, alias) })
		if err != nil {
			n.log.Warn("notify: parked reports could not be applied, and will be tried again", "notification", s.ID, "error", err)
		}
	}
}

func (n *Notifier) unpark(ctx context.Context, id, alias string) error {
	parked, revision, err := n.loadParked(ctx, alias)
	if err != nil || len(parked) == 0 {
		return err
	}
	for _, p := range parked {
		rep, err := p.report(n.codec)
		if err != nil {
			n.log.Error("notify: dropped a parked report that cannot be read", "notification", id, "error", err)
			continue
		}
		s, err := n.ledger.load(ctx, id)
		if err != nil {
			return err
		}
		if err := n.reportTo(ctx, s, rep); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	if err := n.ledger.records.Delete(ctx, parkedPrefix+alias, revision); err != nil {
		return fmt.Errorf("notify: drop parked reports: %w", err)
	}
	return nil
}

func (p *parkedReport) report(c *codec) (Report, error) {
	kind, ok := c.types.Load().byName[p.Type]
	if !ok {
		return Report{}, fmt.Errorf("notify: a parked report of type %s: %w", p.Type, ErrUnsupported)
	}
	event := reflect.New(kind.event)
	if err := json.Unmarshal(p.Data, event.Interface()); err != nil {
		return Report{}, fmt.Errorf("notify: a parked report of type %s: %w", p.Type, err)
	}
	return Report{
		Provider: p.Provider, MessageID: p.MessageID, Event: event.Elem().Interface(), EventID: p.EventID, At: p.At,
	}, nil
}

// sweepParked looks again for the message that reports wait for (20).
func (n *Notifier) sweepParked(ctx context.Context, id string) error {
	known, err := n.matchParked(ctx, id)
	if known || err != nil {
		return err
	}
	alias := strings.TrimPrefix(id, parkedPrefix)
	parked, revision, err := n.loadParked(ctx, alias)
	if err != nil || len(parked) == 0 {
		return err
	}
	return n.storeParked(ctx, alias, parked, revision)
}

// matchParked applies the reports of a row if their message is known by now.
func (n *Notifier) matchParked(ctx context.Context, id string) (known bool, err error) {
	alias := strings.TrimPrefix(id, parkedPrefix)
	s, err := n.ledger.loadAlias(ctx, alias)
	if errors.Is(err, backend.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, n.unpark(ctx, s.ID, alias)
}
