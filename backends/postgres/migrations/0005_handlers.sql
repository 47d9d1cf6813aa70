-- What the handlers keep: whom not to send to, and customers' endpoints.

create table suppression (
    tenant    text collate "C" not null,
    channel   text collate "C" not null,
    recipient text collate "C" not null, -- the host's ID, or
    hash      text collate "C" not null, -- that of an address; the other is empty
    scope     text collate "C" not null,
    reason    text not null,
    lifted    boolean not null,
    at        timestamptz not null,
    event     text collate "C" not null,
    primary key (tenant, channel, recipient, hash, scope)
);
create index suppression_recipient on suppression (recipient, tenant, channel, hash, scope) where not lifted and recipient <> '';
create index suppression_hash on suppression (hash, tenant) where not lifted and hash <> '';

-- An endpoint. Who changes it, or what waits for it, holds the lock of its row.
create table webhook_endpoint (
    id          text collate "C" primary key,
    tenant      text collate "C" not null,
    url         text not null,
    secrets     text[] not null,
    types       text[] collate "C" not null,
    ordered     boolean not null,
    concurrency integer not null,
    disabled    text not null default '', -- the reason
    disabled_at timestamptz,
    failing     timestamptz, -- since
    held        timestamptz, -- until
    proven      boolean not null default false,
    slow        boolean not null default false,
    pending     integer not null default 0,
    dropped     bigint not null default 0,
    -- How many calls there may be at once, and the lane.
    calls integer not null generated always as
        (case when ordered or not proven or failing is not null then 1 else greatest(concurrency, 1) end) stored,
    lane smallint not null generated always as
        (case when not proven or slow or failing is not null then 1 else 0 end) stored,
    -- When something may be claimed; null: nothing waits, or it is disabled.
    ready timestamptz
) with (fillfactor = 50);
create index webhook_endpoint_tenant on webhook_endpoint (tenant, id);
create index webhook_endpoint_ready on webhook_endpoint (lane, ready) where ready is not null;

create table webhook_message (
    number bigint generated always as identity, -- the order in which they were added
    id     text collate "C" not null unique,    -- the event's
    type   text collate "C" not null,
    tenant text collate "C" not null,
    at     timestamptz not null,
    bytes  integer not null,
    body   bytea not null,
    primary key (number) include (bytes)
);
create index webhook_message_tenant on webhook_message (tenant, at, number);

-- A message that waits for an endpoint. A leased one has a token, and is due when
-- its lease ends.
create table webhook_delivery (
    endpoint text collate "C" not null references webhook_endpoint on delete cascade,
    number   bigint not null references webhook_message on delete cascade,
    attempts integer not null default 0,
    due      timestamptz not null,
    token    bigint,
    primary key (endpoint, number)
);
create index webhook_delivery_due on webhook_delivery (endpoint, due, number);
create index webhook_delivery_leased on webhook_delivery (endpoint, due) where token is not null;
create index webhook_delivery_message on webhook_delivery (number);

-- The ledger.
create table webhook_attempt (
    endpoint text collate "C" not null references webhook_endpoint on delete cascade,
    number   bigint not null, -- among the endpoint's, from 1
    token    bigint not null, -- of the claim
    message  text collate "C" not null,
    type     text collate "C" not null,
    attempt  integer not null,
    at       timestamptz not null,
    took     bigint not null, -- nanoseconds
    status   integer not null,
    failure  text collate "C" not null,
    next     timestamptz,
    primary key (endpoint, number)
);
