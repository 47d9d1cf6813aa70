-- Topics, and how far their consumers have come.

create table setting (
    name  text primary key,
    value text not null
);

-- Order is (xid, seq): a consumer reads only what is below every transaction
-- that is still open, so that it never passes a row that commits late.
create table message (
    topic     text collate "C" not null,
    partition smallint not null, -- by the hash of the key
    xid       xid8 not null default pg_current_xact_id(),
    seq       bigint generated always as identity,
    at        timestamptz not null default clock_timestamp(),
    uuid      text not null,
    metadata  json not null,
    payload   bytea not null,
    primary key (topic, partition, xid, seq)
);

create table delayed (
    id        bigint generated always as identity primary key,
    at        timestamptz not null,
    topic     text collate "C" not null,
    partition smallint not null,
    uuid      text not null,
    metadata  json not null,
    payload   bytea not null
);
create index delayed_at on delayed (at, id);

-- A consumer (group) of a topic. What was committed before it began, by the
-- snapshot, is not for it, unless it came at or after the time since.
create table consumer (
    topic text collate "C" not null,
    name  text collate "C" not null,
    began pg_snapshot,
    since timestamptz,
    seen  timestamptz not null default now(),
    primary key (topic, name)
);

-- A consumer's place in a partition: everything up to (xid, seq) is finished,
-- or among waiting. The owner holds the lease; the epoch counts its holders.
create table position (
    topic     text collate "C" not null,
    consumer  text collate "C" not null,
    partition smallint not null,
    xid       xid8 not null default '0',
    seq       bigint not null default 0,
    passed    bigint not null default 0, -- messages so far
    skipped   bigint not null default 0, -- of those, deleted unread, and not told yet
    owner     text,
    epoch     bigint not null default 0,
    until     timestamptz,
    primary key (topic, consumer, partition),
    foreign key (topic, consumer) references consumer on update cascade on delete cascade
) with (fillfactor = 50);

-- What failed, and what queues behind it.
create table waiting (
    topic     text collate "C" not null,
    consumer  text collate "C" not null,
    partition smallint not null,
    number    bigint not null, -- among those that the consumer passed
    xid       xid8 not null,
    seq       bigint not null,
    attempt   integer not null,
    due       timestamptz,
    primary key (topic, consumer, partition, number),
    foreign key (topic, consumer, partition) references position on update cascade on delete cascade
);

-- Processes that consume.
create table member (
    topic    text collate "C" not null,
    consumer text collate "C" not null,
    id       text not null,
    until    timestamptz not null,
    primary key (topic, consumer, id),
    foreign key (topic, consumer) references consumer on update cascade on delete cascade
);
