package postgres

import (
	"context"
	"hash/fnv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// dropOldest makes room for one more at each of the endpoints: it drops what has
// waited the longest and is not leased, no more than $3 of each at once.
const dropOldest = `
with o as (
  select e.id, d.number from {s}.webhook_endpoint e cross join lateral (
    select d.number from {s}.webhook_delivery d where d.endpoint = e.id and d.token is null
    order by d.number limit least(e.pending - $2 + 1, $3)
  ) d where e.id = any($1)
), g as (
  delete from {s}.webhook_delivery d using o where d.endpoint = o.id and d.number = o.number returning d.endpoint
), n as (
  select endpoint, count(*) as dropped from g group by endpoint
)
update {s}.webhook_endpoint e set pending = e.pending - n.dropped, dropped = e.dropped + n.dropped from n where e.id = n.endpoint`

// room sees that there is room for one message more: at the caps it drops the
// oldest, and some more, so that not every new one has to look.
func (w *webhooks) room(ctx context.Context, pool *pgxpool.Pool, bytes int) error {
	c := &w.store.config
	over := func(messages, size int64) bool {
		tooMany, tooLarge := c.webhookSurplus(messages, size, int64(bytes))
		return tooMany > 0 || tooLarge > 0
	}
	messages, known := w.messages.read()
	size, measured := w.bytes.read()
	if known && measured && !over(messages, size) {
		return nil
	}
	messages, err := w.count(ctx, &w.messages, pool, countMessages)
	if err == nil {
		size, err = w.count(ctx, &w.bytes, pool, sizeMessages)
	}
	if err != nil || !over(messages, size) {
		return err
	}
	left, leftBytes := messages, size
	err = again(func() error {
		return c.transaction(ctx, pool, func(tx pgx.Tx) (err error) {
			left, leftBytes, err = w.drop(ctx, tx, messages, size, int64(bytes))
			return err
		})
	})
	if err == nil {
		w.messages.add(left - messages)
		w.bytes.add(leftBytes - size)
	}
	return err
}

func (w *webhooks) count(ctx context.Context, g *gauge, pool *pgxpool.Pool, query string) (int64, error) {
	return w.store.look(ctx, g, func(ctx context.Context) (n int64, err error) {
		err = pool.QueryRow(ctx, w.store.config.sql(query)).Scan(&n)
		return n, err
	})
}

const (
	countMessages = "select count(*) from {s}.webhook_message"
	sizeMessages  = "select coalesce(sum(bytes), 0)::bigint from {s}.webhook_message"
	// oldestMessages are so many, or so much, but never all.
	oldestMessages = `
select number, bytes from (
  select number, bytes, row_number() over (order by number) as place, sum(bytes) over (order by number) - bytes as before
  from (select number, bytes from {s}.webhook_message order by number limit $3) o
) o where (place <= $1 or before < $2) and number < (select max(number) from {s}.webhook_message)`
	lockMessages = "select from {s}.webhook_message where number = any($1) order by number for update"
	lockAwaiting = `
select id from {s}.webhook_endpoint where id = any(array(select endpoint from {s}.webhook_delivery where number = any($1))) order by id for update`
	dropDeliveries = `
with g as (
  delete from {s}.webhook_delivery where number = any($1) returning endpoint
), n as (
  select endpoint, count(*) as dropped from g group by endpoint
)
update {s}.webhook_endpoint e set pending = e.pending - n.dropped, dropped = e.dropped + n.dropped from n where e.id = n.endpoint`
)

// webhookSurplus is how many messages, and how much of them, are to go for another of that
// size.
func (c *Config) webhookSurplus(messages, size, bytes int64) (tooMany, tooLarge int64) {
	mostMessages, mostBytes := int64(c.MaxWebhookMessages), int64(c.MaxWebhookBytes)
	tooMany, tooLarge = max(messages+1-mostMessages, 0), max(size+bytes-mostBytes, 0)
	if tooMany > 0 {
		tooMany += min(mostMessages/100, maxDeletedAtOnce)
	}
	if tooLarge > 0 {
		tooLarge += mostBytes / 100
	}
	return tooMany, tooLarge
}

// drop drops the oldest messages, with what waits for them, so that there is room
// for another of that size, and returns how many are left, and how much of them. One
// process at a time does, and counts anew, since another may just have dropped what
// was too much; the rest believe what they have counted.
func (w *webhooks) drop(ctx context.Context, tx pgx.Tx, messages, size, bytes int64) (left, leftBytes int64, err error) {
	sql := w.store.config.sql
	lock := fnv.New64a()
	lock.Write([]byte("notify webhook messages of " + w.store.config.Schema))
	var mine bool
	if err := tx.QueryRow(ctx, "select pg_try_advisory_xact_lock($1)", int64(lock.Sum64())).Scan(&mine); err != nil || !mine {
		return messages, size, err
	}
	err = tx.QueryRow(ctx, sql(countMessages)).Scan(&messages)
	if err == nil {
		err = tx.QueryRow(ctx, sql(sizeMessages)).Scan(&size)
	}
	tooMany, tooLarge := w.store.config.webhookSurplus(messages, size, bytes)
	if err != nil || tooMany == 0 && tooLarge == 0 {
		return messages, size, err
	}
	dropped, freed, err := w.dropMessages(ctx, tx, tooMany, tooLarge)
	return messages - dropped, size - freed, err
}

// dropMessages drops the oldest: so many, and so much.
func (w *webhooks) dropMessages(ctx context.Context, tx pgx.Tx, tooMany, tooLarge int64) (dropped, freed int64, err error) {
	sql := w.store.config.sql
	rows, err := tx.Query(ctx, sql(oldestMessages), tooMany, tooLarge, 2*maxDeletedAtOnce)
	if err != nil {
		return 0, 0, err
	}
	var numbers []int64
	var number, bytes int64
	_, err = pgx.ForEachRow(rows, []any{&number, &bytes}, func() error {
		numbers = append(numbers, number)
		freed += bytes
		return nil
	})
	if err == nil {
		_, err = tx.Exec(ctx, sql(lockMessages), numbers) // nobody replays them from here on
	}
	if err != nil {
		return 0, 0, err
	}
	rows, err = tx.Query(ctx, sql(lockAwaiting), numbers)
	if err != nil {
		return 0, 0, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return 0, 0, err
	}
	for _, step := range []string{dropDeliveries, "delete from {s}.webhook_message where number = any($1)"} {
		if _, err := tx.Exec(ctx, sql(step), numbers); err != nil {
			return 0, 0, err
		}
	}
	_, err = tx.Exec(ctx, sql(touch), ids)
	return int64(len(numbers)), freed, err
}
