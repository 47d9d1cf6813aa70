package cost

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed-6c01d079/notify"
)

// Book is a price book: what messages cost where the provider does not say so,
// and what observers are taken to cost. It is plain data; [ReadBook] reads it as
// JSON. The zero Book prices nothing: everything is counted all the same.
type Book struct {
	// Currency is that of prices that name none, as ISO 4217 writes it.
	Currency string `json:"currency,omitempty"`
	// Messages has at most 100,000 prices, and Observers 10,000.
	Messages  []MessagePrice  `json:"messages,omitempty"`
	Observers []ObserverPrice `json:"observers,omitempty"`
}

// MessagePrice is what a message costs. Of those that fit, one that names the
// provider comes before one that does not, then one that names the country; of
// several in the same words, the latest that is in force.
type MessagePrice struct {
	// Channel is required.
	Channel notify.Channel `json:"channel"`
	// Provider is that of [notify.Attempt]; empty is any.
	Provider string `json:"provider,omitempty"`
	// Country is that of [notify.Sent]; empty is any, and none.
	Country string `json:"country,omitempty"`
	// From is when the price comes into force: it is for what is sent then or
	// later. Zero is always.
	From time.Time `json:"from,omitzero"`
	// Currency is the book's if empty.
	Currency string `json:"currency,omitempty"`
	// PerMessage and PerSegment are added. A message with an unknown number of
	// segments counts as one segment.
	PerMessage Price `json:"per_message,omitzero"`
	PerSegment Price `json:"per_segment,omitzero"`
}

// ObserverPrice is what an observer costs: each invocation of its handlers, the
// failed ones too, and each second that they take.
type ObserverPrice struct {
	// Observer is its name; empty is any that has no price of its own.
	Observer string `json:"observer,omitempty"`
	// Currency is the book's if empty.
	Currency      string `json:"currency,omitempty"`
	PerInvocation Price  `json:"per_invocation,omitzero"`
	PerSecond     Price  `json:"per_second,omitzero"`
}

const (
	maxMessagePrices  = 100_000
	maxObserverPrices = 10_000
)

// Check returns everything that is wrong with the book, as [notify.FieldError], up
// to 1,000 of them.
func (b *Book) Check() error {
	var found problems
	found.when(len(b.Messages) > maxMessagePrices, "Book.Messages", fmt.Sprintf("has %d prices, and may have %d", len(b.Messages), maxMessagePrices))
	found.when(len(b.Observers) > maxObserverPrices, "Book.Observers", fmt.Sprintf("has %d prices, and may have %d", len(b.Observers), maxObserverPrices))
	if len(found) > 0 {
		return errors.Join(found...)
	}
	found.when(b.Currency != "" && !validCurrency(b.Currency), "Book.Currency", notACurrency)
	messages := map[priceKey]int{}
	for i, p := range b.Messages {
		field := fmt.Sprintf("Book.Messages[%d]", i)
		found.when(!validName(string(p.Channel), 32, isChannelByte), field+".Channel", "must be 1 to 32 characters of a-z, 0-9, '-' and '_'")
		found.when(p.Provider != "" && !validName(p.Provider, 64, isProviderByte), field+".Provider", "must be a provider's name: up to 64 characters of a-z, 0-9, '-', '_' and '.'")
		found.when(p.Country != "" && !validCountry(p.Country), field+".Country", "must be two letters from A to Z (ISO 3166-1 alpha-2)")
		found.currency(field, p.Currency, b.Currency)
		found.price(field+".PerMessage", p.PerMessage)
		found.price(field+".PerSegment", p.PerSegment)
		key := p.key()
		key.from = p.From.UnixMicro()
		if first, twice := messages[key]; twice {
			found.add(field, fmt.Sprintf("is about the same as Book.Messages[%d]; give one of them another From", first))
		} else {
			messages[key] = i
		}
	}
	observers := map[string]int{}
	for i, p := range b.Observers {
		field := fmt.Sprintf("Book.Observers[%d]", i)
		found.when(p.Observer != "" && !validName(p.Observer, 128, isObserverByte), field+".Observer", "must be an observer's name: up to 128 bytes of printable characters without spaces")
		found.currency(field, p.Currency, b.Currency)
		found.price(field+".PerInvocation", p.PerInvocation)
		found.price(field+".PerSecond", p.PerSecond)
		if first, twice := observers[p.Observer]; twice {
			found.add(field, fmt.Sprintf("is about the same as Book.Observers[%d]", first))
		} else {
			observers[p.Observer] = i
		}
	}
	return errors.Join(found...)
}

// priceKey is what tells prices of messages apart.
type priceKey struct {
	channel           notify.Channel
	provider, country string
	from              int64
}

func (p *MessagePrice) key() priceKey {
	return priceKey{channel: p.Channel, provider: p.Provider, country: p.Country}
}

// prices is a book that is looked up in. It is never changed.
type prices struct {
	messages  map[priceKey][]MessagePrice // the latest first
	providers map[notify.Channel][]string // that prices name, with an empty one for any
	observers map[string]ObserverPrice
}

func newPrices(b Book) *prices {
	p := &prices{messages: map[priceKey][]MessagePrice{}, providers: map[notify.Channel][]string{}, observers: map[string]ObserverPrice{}}
	for _, m := range b.Messages {
		m.Currency = cmp.Or(m.Currency, b.Currency)
		p.messages[m.key()] = append(p.messages[m.key()], m)
		p.providers[m.Channel] = append(p.providers[m.Channel], m.Provider)
	}
	for channel, all := range p.providers {
		slices.Sort(all)
		p.providers[channel] = slices.Compact(all)
	}
	for _, all := range p.messages {
		slices.SortFunc(all, func(a, b MessagePrice) int { return b.From.Compare(a.From) })
	}
	for _, o := range b.Observers {
		o.Currency = cmp.Or(o.Currency, b.Currency)
		p.observers[o.Observer] = o
	}
	return p
}

// message returns the price of a message that is sent at that time.
func (p *prices) message(c notify.Channel, provider, country string, at time.Time) (MessagePrice, bool) {
	for _, key := range [...]priceKey{
		{c, provider, country, 0}, {c, provider, "", 0}, {c, "", country, 0}, {c, "", "", 0},
	} {
		for _, m := range p.messages[key] {
			if !m.From.After(at) {
				return m, true
			}
		}
	}
	return MessagePrice{}, false
}

func (m *MessagePrice) cost(segments int64) notify.Cost {
	total := bill{parts: 1}
	total.add(m.PerMessage, 1, 1)
	total.add(m.PerSegment, max(segments, 1), 1)
	return notify.Cost{Micros: total.micros(), Currency: m.Currency}
}

// observer returns what an observer's invocations cost.
func (p *prices) observer(name string, invocations int64, took time.Duration) (notify.Cost, bool) {
	o, ok := p.observers[name]
	if !ok {
		if o, ok = p.observers[""]; !ok {
			return notify.Cost{}, false
		}
	}
	total := bill{parts: int64(time.Second)}
	total.add(o.PerInvocation, invocations, int64(time.Second))
	total.add(o.PerSecond, int64(took), 1)
	return notify.Cost{Micros: total.micros(), Currency: o.Currency}, true
}

// highest is the most that one segment costs on the channel, by whatever provider
// and in that currency.
func (p *prices) highest(c notify.Channel, country, currency string, at time.Time) (micros int64) {
	for _, provider := range p.providers[c] {
		if m, ok := p.message(c, provider, country, at); ok && m.Currency == currency {
			micros = max(micros, m.cost(1).Micros)
		}
	}
	return micros
}
