package sqlite

import (
	"context"
	"crypto/rand"
	"fmt"
)

// Secret implements [backend.SecretKeeper]: the secrets are in the file, which
// only its owner may read.
func (b *Backend) Secret(ctx context.Context, name string) (secret []byte, err error) {
	s, err := b.enter(ctx)
	if err == nil {
		defer b.leave()
		err = s.reads.row("SELECT secret FROM secrets WHERE name = ?", []any{name}, &secret)
		if isNoRows(err) {
			err = s.do(ctx, func(t *tx) error {
				made := make([]byte, 32)
				_, _ = rand.Read(made) // it never fails
				if _, err := t.exec("INSERT INTO secrets (name, secret) VALUES (?, ?) ON CONFLICT DO NOTHING", name, made); err != nil {
					return err
				}
				return t.row("SELECT secret FROM secrets WHERE name = ?", []any{name}, &secret)
			})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("sqlite: secret %q: %w", name, err)
	}
	return secret, nil
}
