package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// batchRoom is what a batch has besides a message of MaxBytes.
const batchRoom = 1024

// options are those of every client.
func (b *Backend) options() []kgo.Opt {
	c := &b.config
	opts := []kgo.Opt{
		kgo.SeedBrokers(b.brokers...),
		kgo.ClientID(c.ClientID),
		kgo.WithLogger(b.log),
		kgo.DisableClientMetrics(),
		// The defaults are for a broker far away; ours end with a context.
		kgo.RetryBackoffFn(func(fails int) time.Duration {
			return min(20*time.Millisecond<<min(fails, 6), time.Second)
		}),
		kgo.MetadataMinAge(250 * time.Millisecond),
		kgo.MetadataMaxAge(time.Minute), // how long new partitions are not noticed
	}
	if c.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(c.TLS.Clone()))
	}
	if m := c.SASL.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts
}

// produceOptions are those of the client that publishes. Acknowledged by all
// replicas in sync and idempotent is what the client does by itself; it is said
// here so that it stays so.
func (b *Backend) produceOptions() []kgo.Opt {
	return append(b.options(),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchMaxBytes(int32(b.config.MaxBytes+batchRoom)),
		kgo.RecordPartitioner(b.partitioner()),
		// The first message of a topic waits for that.
		kgo.MetadataMinAge(20*time.Millisecond),
		// A call's messages go in one request to each broker: ProduceSync ends
		// the linger when it has all. Without any, the first goes alone.
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.RecordDeliveryTimeout(b.config.PublishTimeout),
		// Without it, a Publish whose broker does not answer never returns.
		kgo.AllowIdempotentProduceCancellation(),
	)
}

// start makes the first connection, and checks what can be checked by then.
func (b *Backend) start(ctx context.Context) error {
	if err := b.starting.acquire(ctx); err != nil {
		return ended(ctx, fmt.Errorf("connect to %s: %w", strings.Join(b.brokers, ", "), err))
	}
	defer b.starting.release()
	if b.producer() != nil {
		return nil
	}
	if err := b.config.check(b.brokers); err != nil {
		return fmt.Errorf("the configuration: %w", err)
	}
	client, err := kgo.NewClient(b.produceOptions()...)
	if err != nil {
		return fmt.Errorf("the configuration: %w", err)
	}
	if err := b.connect(ctx, client); err != nil {
		client.Close()
		return err
	}
	b.mu.Lock()
	b.client = client
	b.mu.Unlock()
	return nil
}

// connect waits until a broker answers.
func (b *Backend) connect(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.config.StartTimeout, errStart)
	defer cancel()
	var last error
	for {
		err := client.Ping(ctx)
		if err == nil {
			return nil
		}
		if last == nil || !timedOut(err) { // that says the least
			last = err
		}
		if refusal := refused(err); refusal != "" {
			return fmt.Errorf("connect to %s: %w: %s", strings.Join(b.brokers, ", "), err, refusal)
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
			continue
		}
		if !errors.Is(context.Cause(ctx), errStart) {
			return ended(ctx, fmt.Errorf("connect to %s: %w", strings.Join(b.brokers, ", "), context.Cause(ctx)))
		}
		return fmt.Errorf("no broker of %s answered within %v (Config.StartTimeout): %w: %s",
			strings.Join(b.brokers, ", "), b.config.StartTimeout, last, b.unanswered(last))
	}
}

// unanswered says what to do when no broker answers.
func (b *Backend) unanswered(err error) string {
	c := &b.config
	_, first := errors.AsType[*kgo.ErrFirstReadEOF](err)
	switch hangsUp := first || errors.Is(err, io.EOF); {
	case hangsUp && c.SASL.Mechanism != "":
		return "it hangs up, as it does when it does not accept the credentials: correct Config.SASL, or see that it runs"
	case hangsUp:
		return "it hangs up: its port may want authentication (Config.SASL) or TLS (Config.TLS), or it does not run"
	case c.SASL.Mechanism != "":
		return "see that one runs there and can be reached from here, or correct the address; one that does not accept the credentials may not answer either: correct Config.SASL"
	case c.TLS != nil:
		return "see that one runs there, can be reached from here, and speaks TLS at that port (Config.TLS), or correct the address"
	}
	return "see that one runs there and can be reached from here, or correct the address"
}

func timedOut(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}

var errStart = errors.New("Config.StartTimeout is over")
