package suppression

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed-6c01d079/notify"
)

// guard leaves out the channels that are suppressed, and suppresses what has
// none left.
func (l *List) guard(ctx context.Context, r notify.GuardRequest) (notify.Decision, error) {
	hashes := map[notify.Channel]string{}
	var subjects []Subject
	if r.Recipient.ID != "" {
		subjects = append(subjects, Subject{RecipientID: r.Recipient.ID})
	}
	for channel, address := range r.Recipient.Addresses {
		if hash := l.Address(channel, address).AddressHash; hash != "" {
			hashes[channel] = hash
			subjects = append(subjects, Subject{AddressHash: hash})
		}
	}
	if len(subjects) == 0 {
		return notify.Allow(), nil
	}
	entries, err := l.store.Find(ctx, r.Tenant, subjects...)
	if err != nil {
		return notify.Allow(), fmt.Errorf("suppression: look for a recipient: %w", err)
	}
	stopped := map[notify.Channel]Reason{}
	for _, e := range entries {
		// The hash of an address is about one channel, whatever the store says.
		if e.AddressHash != "" && hashes[e.Channel] != e.AddressHash || !l.stops(e, r.Category) {
			continue
		}
		if known, ok := stopped[e.Channel]; !ok || e.Reason < known { // the same each time
			stopped[e.Channel] = e.Reason
		}
	}
	if r.Channel != "" {
		if reason, ok := stopped[r.Channel]; ok {
			return notify.Suppress(string(reason)), nil
		}
		return notify.Allow(), nil
	}
	return decide(stopped, r), nil
}

// stops tells whether the entry is about notifications of the category.
func (l *List) stops(e Entry, category string) bool {
	if e.Scope != "" && e.Scope != category {
		return false
	}
	essential := category != "" && slices.Contains(l.config.Essential, category)
	return !essential || e.Reason == Invalid || e.Reason == ByHost
}

// decide decides on the whole notification: on the channels of its route that the
// recipient has an address on.
func decide(stopped map[notify.Channel]Reason, r notify.GuardRequest) notify.Decision {
	var without []notify.Channel
	var first Reason
	left := false
	for _, channel := range r.Channels {
		reason, isStopped := stopped[channel]
		switch {
		case r.Recipient.Addresses[channel] == "":
		case !isStopped:
			left = true
		default:
			without = append(without, channel)
			if first == "" || reason < first {
				first = reason
			}
		}
	}
	if len(without) > 0 && !left {
		return notify.Suppress(string(first))
	}
	return notify.Without(without...)
}
