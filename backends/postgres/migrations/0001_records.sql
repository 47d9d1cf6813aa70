-- Records, dead letters, the timeline's events, and the outbox.

create table record (
    id       text collate "C" primary key,
    revision bigint not null,
    body     bytea not null, -- JSON; convert_from(body, 'UTF8')
    due      timestamptz,
    expires  timestamptz
);
create index record_due on record (due, id) where due is not null;
create index record_expires on record (expires) where expires is not null;

create table alias (
    alias text collate "C" primary key,
    id    text collate "C" not null references record on delete cascade
);
create index alias_id on alias (id);

create table dead_letter (
    id         bigint generated always as identity primary key,
    consumer   text collate "C" not null,
    topic      text collate "C" not null,
    class      text not null,
    error      text not null,
    attempts   integer not null,
    at         timestamptz not null,
    uuid       text not null,
    metadata   json not null,
    payload    bytea not null
);
create index dead_letter_consumer on dead_letter (consumer, id);

create table timeline (
    id        text collate "C" primary key, -- the notification's
    at        timestamptz not null,         -- where it is in a list
    recipient text collate "C" not null,
    tenant    text collate "C" not null,
    category  text collate "C" not null,
    state     text collate "C" not null,
    settled   boolean not null,
    truncated boolean not null default false -- events were left out
);
create index timeline_at on timeline (at, id);
create index timeline_recipient on timeline (recipient, at, id);
create index timeline_tenant on timeline (tenant, at, id);

create table timeline_event (
    notification text collate "C" not null references timeline on delete cascade,
    seq          bigint generated always as identity,
    id           text collate "C" not null,
    metadata     json not null, -- the attributes of CloudEvents
    payload      bytea not null,
    primary key (notification, id)
);

create table outbox (
    id        bigint generated always as identity primary key,
    at        timestamptz, -- not before
    topic     text collate "C" not null,
    uuid      text not null,
    metadata  json not null,
    payload   bytea not null
);
