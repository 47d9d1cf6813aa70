package main

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/redis/go-redis/v9"
)

// quiet does not log that what was ended has ended.
type quiet struct{ watermill.LoggerAdapter }

func (q quiet) Error(text string, err error, fields watermill.LogFields) {
	if !errors.Is(err, context.Canceled) && !errors.Is(err, redis.ErrClosed) {
		q.LoggerAdapter.Error(text, err, fields)
	}
}

func (q quiet) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return quiet{q.LoggerAdapter.With(fields)}
}
