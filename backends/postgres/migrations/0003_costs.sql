-- What was spent: see handlers/cost. Amounts are in millionths of the currency's unit.

create table cost_entry (
    id           text collate "C" primary key,
    notification text collate "C" not null, -- empty: it is an observer's
    tenant       text collate "C" not null,
    channel      text collate "C" not null,
    category     text collate "C" not null,
    provider     text collate "C" not null,
    country      text collate "C" not null,
    observer     text collate "C" not null,
    event        text collate "C" not null,
    month        text collate "C" not null,
    day          text collate "C" not null,
    at           timestamptz not null,
    messages     bigint not null,
    segments     bigint not null,
    invocations  bigint not null,
    nanoseconds  bigint not null,
    facts        bigint not null,
    told_by      text collate "C" not null,
    micros       bigint not null,
    currency     text collate "C" not null, -- empty: it has no price
    source       smallint not null,
    priced_at    timestamptz not null,
    priced_by    text collate "C" not null
);
create index cost_entry_notification on cost_entry (notification) where notification <> '';
create index cost_entry_at on cost_entry (at);

-- A sum is in shards, by the entry's ID, so that those who write wait less for
-- each other. All shards together are no more than a bigint holds.
create table cost_sum (
    period      text collate "C" not null, -- a month or a day
    every       boolean not null,          -- of all tenants, and tenant is empty
    tenant      text collate "C" not null,
    channel     text collate "C" not null,
    category    text collate "C" not null,
    provider    text collate "C" not null,
    country     text collate "C" not null,
    observer    text collate "C" not null,
    event       text collate "C" not null,
    currency    text collate "C" not null,
    shard       smallint not null,
    micros      bigint not null check (micros <= 288230376151711744),
    messages    bigint not null check (messages <= 288230376151711744),
    segments    bigint not null check (segments <= 288230376151711744),
    invocations bigint not null check (invocations <= 288230376151711744),
    nanoseconds bigint not null check (nanoseconds <= 288230376151711744),
    primary key (period, every, tenant, channel, category, provider, country, observer, event, currency, shard)
) with (fillfactor = 70);

create table cost_forgotten (
    one boolean primary key check (one),
    at  timestamptz not null -- of the latest entry that was deleted
);
