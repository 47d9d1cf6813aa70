package notify

import (
	"context"
	"log/slog"

	"github.com/seed-6c01d079/notify/backend"
)

type routerConsumer struct{}

func newRouterConsumer(Backend, *slog.Logger) backend.Consumer { return routerConsumer{} }

func (routerConsumer) Consume(context.Context, backend.Consumption) error { return ErrUnsupported }
