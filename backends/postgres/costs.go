package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-6c01d079/notify"
	"github.com/seed-6c01d079/notify/handlers/cost"
)

// Costs returns the store of what was spent, in the database:
//
//	n.Attach(cost.New(records.Costs(), book))
//
// Its caps are [Config.CostsFor], [Config.MaxCosts], [Config.CostSumsFor] and
// [Config.MaxCostSums].
func (s *Store) Costs() cost.Store {
	key := func(what string) int64 {
		hash := fnv.New64a()
		hash.Write([]byte(what + s.config.Schema))
		return int64(hash.Sum64())
	}
	return &costs{store: s, lock: key("notify costs of "), sweep: key("notify costs' sweep of ")}
}

type costs struct {
	store *Store
	// lock is held by those who put, together, and by who deletes, alone: so that
	// nothing is put that is just being forgotten.
	lock int64
	// sweep is held by who looks what there is to delete.
	sweep int64

	entries, sums gauge

	mu      sync.Mutex
	expired time.Time // when what is too old was deleted last
}

// Put implements [cost.Store]. Entries are put in the order of their IDs, so that
// two who put several seldom wait for each other.
func (s *costs) Put(ctx context.Context, entries ...cost.Entry) (tooOld int, err error) {
	for _, e := range entries {
		if err := e.Check(); err != nil {
			return 0, err
		}
	}
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b cost.Entry) int { return cmp.Compare(a.ID, b.ID) })
	err = s.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		if err := s.expire(ctx, pool); err != nil { // which is no reason not to count
			s.store.config.Logger.WarnContext(ctx, "notify: what is too old or too much of the costs could not be deleted; it is tried again", "error", err)
		}
		has, err := s.countSums(ctx, pool) // before a connection is taken: it needs one too
		if err != nil {
			return err
		}
		var added int64
		if len(entries) == 1 && has+cellsOfEntry <= int64(s.store.config.MaxCostSums) {
			var isNew bool
			err = pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) (err error) {
				isNew, added, err = s.putNew(ctx, conn, clean(entries[0]))
				return err
			})
			if isNew && err == nil {
				s.sums.add(added)
			}
			if isNew || err != nil && !deadlocked(err) {
				return err
			}
		}
		err = again(func() error {
			return s.store.config.transaction(ctx, pool, func(tx pgx.Tx) (err error) {
				tooOld, added, err = s.put(ctx, tx, entries)
				if most := int64(s.store.config.MaxCostSums); err == nil && added > 0 && has+added > most {
					err = fmt.Errorf("%w: there are %d sums, and Config.MaxCostSums is %d", notify.ErrOverloaded, has, most)
				}
				return err
			})
		})
		if err == nil {
			s.sums.add(added)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("postgres: count what was spent: %w", err)
	}
	return tooOld, nil
}

// put tells too how many sums there are more.
func (s *costs) put(ctx context.Context, tx pgx.Tx, entries []cost.Entry) (tooOld int, added int64, err error) {
	for i, e := range entries {
		counts, cells, err := s.one(ctx, tx, i == 0, clean(e))
		if err != nil {
			return 0, 0, err
		}
		if !counts {
			tooOld++
		}
		added += cells
	}
	return tooOld, added, nil
}

// clean is the entry as the database has it.
func clean(e cost.Entry) cost.Entry {
	for _, t := range []*string{&e.ID, &e.NotificationID, &e.Tenant, (*string)(&e.Channel), &e.Category, &e.Provider, &e.Country, &e.Observer, &e.Event, &e.By, &e.PricedBy} {
		*t = text(*t)
	}
	e.At, e.PricedAt = e.At.UTC().Truncate(time.Microsecond), e.PricedAt.UTC().Truncate(time.Microsecond)
	return e
}

const costColumns = `id, notification, tenant, channel, category, provider, country, observer, event, month, day, at,
messages, segments, invocations, nanoseconds, facts, told_by, micros, currency, source, priced_at, priced_by`

func costValues(e cost.Entry) []any {
	return []any{
		e.ID, e.NotificationID, e.Tenant, string(e.Channel), e.Category, e.Provider, e.Country, e.Observer, e.Event, e.Month, e.Day, e.At,
		e.Messages, e.Segments, e.Invocations, int64(e.Time), e.Facts, e.By, e.Cost.Micros, e.Cost.Currency, int16(e.Source), e.PricedAt, e.PricedBy,
	}
}

func scanCost(row pgx.CollectableRow) (e cost.Entry, err error) {
	var channel string
	var source int16
	err = row.Scan(
		&e.ID, &e.NotificationID, &e.Tenant, &channel, &e.Category, &e.Provider, &e.Country, &e.Observer, &e.Event, &e.Month, &e.Day, &e.At,
		&e.Messages, &e.Segments, &e.Invocations, (*int64)(&e.Time), &e.Facts, &e.By, &e.Cost.Micros, &e.Cost.Currency, &source, &e.PricedAt, &e.PricedBy,
	)
	e.Channel, e.Source = notify.Channel(channel), cost.Source(source)
	e.At, e.PricedAt = e.At.UTC(), e.PricedAt.UTC()
	return e, err
}

// one joins an entry with what is known of it, in two round trips. It tells
// whether it counts, and how many sums there are more.
func (s *costs) one(ctx context.Context, tx pgx.Tx, first bool, e cost.Entry) (counts bool, added int64, err error) {
	sql := s.store.config.sql
	var known []cost.Entry
	var gone []string
	inserted := false
	reading := &pgx.Batch{}
	if first { // what it waits for is over when the next statement begins
		reading.Queue("select pg_advisory_xact_lock_shared($1)", s.lock)
	}
	reading.Queue(sql("insert into {s}.cost_entry ("+costColumns+`)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::timestamptz, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23
where not exists (select from {s}.cost_forgotten where at >= $12::timestamptz or $17::bigint = 0) on conflict do nothing`), costValues(e)...).
		Exec(func(tag pgconn.CommandTag) error {
			inserted = tag.RowsAffected() > 0
			return nil
		})
	reading.Queue(sql("select "+costColumns+" from {s}.cost_entry where id = $1 for update"), e.ID).Query(func(rows pgx.Rows) (err error) {
		known, err = pgx.CollectRows(rows, scanCost)
		return err
	})
	reading.Queue(sql(droppedPeriods)).Query(func(rows pgx.Rows) (err error) {
		gone, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err := tx.SendBatch(ctx, reading).Close(); err != nil {
		return false, 0, err
	}
	writing := &pgx.Batch{}
	dropped := droppedOf(gone) // nobody drops more while the lock is held
	switch {
	case inserted:
		s.change(writing, e.ID, without(cost.Changes(nil, e), dropped), &added)
	case len(known) == 0:
		return false, 0, nil
	default:
		joined := e.Join(known[0])
		if joined == known[0] {
			return true, 0, nil
		}
		writing.Queue(sql("update {s}.cost_entry set ("+costColumns+`) =
($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23) where id = $1`), costValues(joined)...)
		s.change(writing, e.ID, without(cost.Changes(&known[0], joined), dropped), &added)
	}
	return true, added, overflow(tx.SendBatch(ctx, writing).Close())
}

// overflow is [cost.ErrOverflow] for what is out of range, or of what is checked.
func overflow(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (refused.Code == "22003" || refused.Code == "23514") {
		return cost.ErrOverflow
	}
	return err
}

// putNew puts an entry that is new, as nearly all are, in one round trip, so that
// nobody waits long for the sums' rows. It tells whether it was new.
func (s *costs) putNew(ctx context.Context, conn *pgxpool.Conn, e cost.Entry) (isNew bool, added int64, err error) {
	periods := []string{e.Month}
	if e.Day != "" {
		periods = append(periods, e.Day)
	}
	batch := &pgx.Batch{}
	batch.Queue(begin)
	batch.Queue("select pg_advisory_xact_lock_shared($1)", s.lock) // what it waits for is over when the next statement begins
	batch.Queue(s.store.config.sql(`
with e as (
  insert into {s}.cost_entry (`+costColumns+`)
  select $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text, $11::text, $12::timestamptz,
  $13::bigint, $14::bigint, $15::bigint, $16::bigint, $17::bigint, $18::text, $19::bigint, $20::text, $21::smallint, $22::timestamptz, $23::text
  where not exists (select from {s}.cost_forgotten where at >= $12::timestamptz or $17::bigint = 0) on conflict do nothing returning id
), s as (
  insert into {s}.cost_sum as s
  select period, every, case when every then '' else $3::text end, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text, $20::text,
  case when every then $25::smallint else $24::smallint end, $19::bigint, $13::bigint, $14::bigint, $15::bigint, $16::bigint
  from unnest($26::text[]) period cross join unnest(array[false, true]) every where exists (select from e)
  and not `+isDropped("period")+`
  `+intoSum+`
) select (select count(*) from e) = 1, (select count(*) from s where fresh)`), append(costValues(e), shardOf(e.ID, shards), shardOf(e.ID, allShards), periods)...).
		QueryRow(func(row pgx.Row) error { return row.Scan(&isNew, &added) })
	batch.Queue("commit")
	err = overflow(s.store.send(ctx, conn, batch))
	return isNew, added, err
}

// intoSum adds to a sum that is there.
const intoSum = `on conflict (period, every, tenant, channel, category, provider, country, observer, event, currency, shard) do update set
  micros = s.micros + excluded.micros, messages = s.messages + excluded.messages, segments = s.segments + excluded.segments,
  invocations = s.invocations + excluded.invocations, nanoseconds = s.nanoseconds + excluded.nanoseconds
returning (xmax = 0) as fresh`

// shards and allShards are into how many parts the sums of a tenant and of all
// tenants are divided. Those who write one wait for each other's commits.
const shards, allShards = 8, 32

func shardOf(id string, of uint32) int16 {
	hash := fnv.New32a()
	hash.Write([]byte(id))
	return int16(hash.Sum32() % of)
}

const ofSum = ` where period = $1 and every = $2 and tenant = $3 and channel = $4 and category = $5 and provider = $6
and country = $7 and observer = $8 and event = $9 and currency = $10 and shard = $11`

// change changes the sums. What adds no message and no invocation begins none: it
// would be of a sum that was deleted before that was noted.
func (s *costs) change(batch *pgx.Batch, id string, changes []cost.Change, added *int64) {
	sql := s.store.config.sql
	for _, c := range changes {
		shard := shardOf(id, shards)
		if c.All {
			shard = shardOf(id, allShards)
		}
		cell := []any{c.Period, c.All, c.Tenant, string(c.Channel), c.Category, c.Provider, c.Country, c.Observer, c.Event, c.Currency, shard}
		by := append(slices.Clone(cell), c.Micros, c.Messages, c.Segments, c.Invocations, int64(c.Time))
		if c.Messages > 0 || c.Invocations > 0 {
			batch.Queue(sql(`
insert into {s}.cost_sum as s values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
`+intoSum), by...).QueryRow(func(row pgx.Row) error {
				var isNew bool
				err := row.Scan(&isNew)
				if isNew {
					*added++
				}
				return err
			})
			continue
		}
		batch.Queue(sql(`
update {s}.cost_sum set micros = micros + $12, messages = messages + $13, segments = segments + $14, invocations = invocations + $15,
nanoseconds = nanoseconds + $16`+ofSum), by...)
		if c.Messages < 0 || c.Invocations < 0 {
			batch.Queue(sql(`
delete from {s}.cost_sum`+ofSum+`
and micros = 0 and messages = 0 and segments = 0 and invocations = 0 and nanoseconds = 0`), cell...)
		}
	}
}

// Entries implements [cost.Store].
func (s *costs) Entries(ctx context.Context, notificationID string) (found []cost.Entry, err error) {
	if notificationID == "" {
		return nil, nil
	}
	err = s.store.do(ctx, func(ctx context.Context, pool *pgxpool.Pool) error {
		rows, err := pool.Query(ctx, s.store.config.sql("select "+costColumns+" from {s}.cost_entry where notification = $1 and notification <> '' order by id"), text(notificationID))
		if err == nil {
			found, err = pgx.CollectRows(rows, scanCost)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: costs of notification %q: %w", notificationID, err)
	}
	return found, nil
}
