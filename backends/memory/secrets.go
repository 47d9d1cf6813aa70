package memory

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/seed-6c01d079/notify/backend"
)

var _ backend.SecretKeeper = (*Backend)(nil)

// secrets are made when they are asked for.
type secrets struct {
	mu   sync.Mutex
	kept map[string][]byte
}

// Secret implements [backend.SecretKeeper]: the secrets live as long as the
// Backend.
func (b *Backend) Secret(_ context.Context, name string) ([]byte, error) {
	b.secrets.mu.Lock()
	defer b.secrets.mu.Unlock()
	secret, ok := b.secrets.kept[name]
	if !ok {
		secret = make([]byte, 32)
		_, _ = rand.Read(secret) // it never fails
		if b.secrets.kept == nil {
			b.secrets.kept = map[string][]byte{}
		}
		b.secrets.kept[name] = secret
	}
	return secret, nil
}
