-- What entries of the timeline are found by, beside their columns: a channel
-- ("channel"), a label ("label." and its name), another recipient of an event
-- ("recipient": the tenant, a line break, and the ID).

create table timeline_tag (
    name  text collate "C" not null,
    value text collate "C" not null,
    at    timestamptz not null, -- the entry's
    id    text collate "C" not null references timeline on delete cascade,
    primary key (name, value, at, id)
);
create index timeline_tag_id on timeline_tag (id);

-- Entries from before get theirs, from their events.

create view earlier_event as
select t.id, t.at, t.recipient, t.tenant, e.id as event, e.metadata->>'ce_type' as type, e.metadata->>'ce_time' as time,
    e.metadata->>'ce_recipient' as of_recipient, coalesce(e.metadata->>'ce_tenant', '') as of_tenant,
    e.metadata->>'ce_labels' as labels,
    case when e.metadata->>'ce_type' in ('notify.sending.v1', 'notify.retrying.v1', 'notify.sent.v1', 'notify.unknown.v1',
            'notify.delivered.v1', 'notify.undelivered.v1', 'notify.bounced.v1', 'notify.failed.v1', 'notify.expired.v1',
            'notify.suppressed.v1')
        then convert_from(e.payload, 'UTF8')::json
        when e.metadata->>'ce_type' = 'notify.failed_over.v1' then convert_from(e.payload, 'UTF8')::json->'from'
    end as leg
from timeline t join timeline_event e on e.notification = t.id;

insert into timeline_tag (name, value, at, id)
select distinct 'channel', leg->>'channel', at, id from earlier_event where (leg->>'leg')::int > 0 and leg->>'channel' <> '';

insert into timeline_tag (name, value, at, id)
select distinct on (e.id, l.key) 'label.' || l.key, l.value, e.at, e.id
from (
    select distinct on (id) id, at, labels from earlier_event
    where labels is not null and type like 'notify.%' and type not in ('notify.opened.v1', 'notify.clicked.v1', 'notify.read.v1',
        'notify.archived.v1', 'notify.replied.v1', 'notify.complained.v1', 'notify.unsubscribed.v1')
    order by id, time::timestamptz nulls first, event
) e, json_each_text(e.labels::json) l
where l.key <> '' and l.value is not null and octet_length(l.key) <= 128 and octet_length(l.value) <= 128;

insert into timeline_tag (name, value, at, id)
select distinct 'recipient', of_tenant || E'\n' || of_recipient, at, id from earlier_event
where of_recipient <> '' and (of_recipient <> recipient or of_tenant <> tenant);

drop view earlier_event;

-- What was erased from the timeline, so that nothing brings it back.

create table timeline_erased (
    what text collate "C" not null, -- "notification", or "recipient"
    name text collate "C" not null, -- its ID; for a recipient a hash
    at   timestamptz not null,
    primary key (what, name)
);
create index timeline_erased_at on timeline_erased (at);

create table timeline_content (
    notification text collate "C" not null,
    leg          integer not null,
    at           timestamptz not null,
    recipient    text collate "C" not null, -- a hash
    key_id       text not null, -- the key of the ring that wrapped_key is under
    wrapped_key  bytea not null,
    content      bytea not null, -- sealed
    primary key (notification, leg)
);
create index timeline_content_at on timeline_content (at);
create index timeline_content_recipient on timeline_content (recipient) where recipient <> '';
