package notifytest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/seed-6c01d079/notify"
)

// AskableProvider is a [Provider] whose service can be asked what became of an
// attempt: it is a [notify.Asker].
type AskableProvider[M notify.Message] struct {
	*Provider[M]

	mu     sync.Mutex // guards the following
	asked  []string
	errors []error
}

// NewAskableProvider is as [NewProvider].
func NewAskableProvider[M notify.Message](name string, options ...func(*notify.Capabilities)) *AskableProvider[M] {
	return &AskableProvider[M]{Provider: NewProvider[M](name, options...)}
}

// FailAsking has the next questions fail with the errors.
func (p *AskableProvider[M]) FailAsking(errs ...error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errors = append(p.errors, errs...)
}

// Ask implements [notify.Asker]: it knows what the service has taken.
func (p *AskableProvider[M]) Ask(_ context.Context, key string) (notify.Receipt, error) {
	p.mu.Lock()
	p.asked = append(p.asked, key)
	var err error
	if len(p.errors) > 0 {
		err, p.errors = p.errors[0], p.errors[1:]
	}
	p.mu.Unlock()
	if err != nil {
		return notify.Receipt{}, err
	}
	p.Provider.mu.Lock()
	defer p.Provider.mu.Unlock()
	for _, e := range p.effects {
		if e.key == key {
			return e.receipt, nil
		}
	}
	return notify.Receipt{}, fmt.Errorf("notifytest: ask %s: %w", p.name, notify.ErrNotFound)
}

// Asked are the keys that were asked about.
func (p *AskableProvider[M]) Asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}
