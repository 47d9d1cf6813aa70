package kafka

import (
	"context"
	"math"

	"github.com/twmb/franz-go/pkg/kgo"
)

// claim is a partition that a member has, and what the member read of it and has
// not finished. Its methods are safe for concurrent use.
type claim interface {
	// add takes records in the order of their offsets. It does not block.
	add(records []*kgo.Record)
	// skip says that reading goes on at an offset beyond what was read.
	skip(to int64)
	// room waits until there is room for more.
	room(ctx context.Context) error
	// state says how far it is; after stop, how far it got.
	state() state
	// stop hands out nothing more, and waits for what is under way until ctx
	// ends. It may be called several times.
	stop(ctx context.Context)
}

// state is how far a group is in a partition.
type state struct {
	low        int64  // everything before it is finished
	note       string // what else is
	read       int64  // the next to be read
	next       int64  // from here on nothing is finished
	unfinished int64  // how many before it are not
}

// held is a claim with what its member knows of it.
type held struct {
	claim
	committed position // guarded by the member's mu, like paused
	paused    bool
}

// position is what is written for a partition.
type position struct {
	offset int64
	note   string
}

// always is a context that has ended, to ask without waiting.
func always() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// noOffset is the offset of nothing.
const noOffset = math.MinInt64
