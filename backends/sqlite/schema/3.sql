-- What entries of the timeline are found by, beside their columns: a channel
-- ("channel"), a label ("label." and its name), another recipient of an event
-- ("recipient": the tenant, a line break, and the ID).

CREATE TABLE timeline_tags (
    name         TEXT NOT NULL,
    value        TEXT NOT NULL,
    at           TEXT NOT NULL, -- the entry's
    notification TEXT NOT NULL REFERENCES timeline (notification) ON DELETE CASCADE,
    PRIMARY KEY (name, value, at, notification)
) STRICT, WITHOUT ROWID;
CREATE INDEX timeline_tags_notification ON timeline_tags (notification);

-- Entries from before get theirs, from their events.

INSERT OR IGNORE INTO timeline_tags (name, value, at, notification)
SELECT 'channel', json_extract(e.data, '$.channel'), t.at, t.notification
FROM timeline t JOIN timeline_events e USING (notification)
WHERE e.type IN ('notify.sending.v1', 'notify.retrying.v1', 'notify.sent.v1', 'notify.unknown.v1', 'notify.delivered.v1',
        'notify.undelivered.v1', 'notify.bounced.v1', 'notify.failed.v1', 'notify.expired.v1', 'notify.suppressed.v1')
    AND json_valid(e.data) AND json_extract(e.data, '$.leg') > 0 AND json_extract(e.data, '$.channel') <> '';

INSERT OR IGNORE INTO timeline_tags (name, value, at, notification)
SELECT 'channel', json_extract(e.data, '$.from.channel'), t.at, t.notification
FROM timeline t JOIN timeline_events e USING (notification)
WHERE e.type = 'notify.failed_over.v1' AND json_valid(e.data)
    AND json_extract(e.data, '$.from.leg') > 0 AND json_extract(e.data, '$.from.channel') <> '';

INSERT OR IGNORE INTO timeline_tags (name, value, at, notification)
SELECT 'label.' || l.key, l.value, t.at, t.notification
FROM timeline t, json_each((
    SELECT json_extract(e.metadata, '$.ce_labels') FROM timeline_events e
    WHERE e.notification = t.notification AND json_valid(json_extract(e.metadata, '$.ce_labels'))
        AND e.type GLOB 'notify.*' AND e.type NOT IN ('notify.opened.v1', 'notify.clicked.v1', 'notify.read.v1', 'notify.archived.v1',
            'notify.replied.v1', 'notify.complained.v1', 'notify.unsubscribed.v1')
    ORDER BY e.time, e.id LIMIT 1)) l
WHERE l.type = 'text' AND l.key <> '' AND length(CAST(l.key AS BLOB)) <= 128 AND length(CAST(l.value AS BLOB)) <= 128;

INSERT OR IGNORE INTO timeline_tags (name, value, at, notification)
SELECT 'recipient', coalesce(json_extract(e.metadata, '$.ce_tenant'), '') || char(10) || json_extract(e.metadata, '$.ce_recipient'),
    t.at, t.notification
FROM timeline t JOIN timeline_events e USING (notification)
WHERE json_extract(e.metadata, '$.ce_recipient') <> '' AND (json_extract(e.metadata, '$.ce_recipient') <> t.recipient
    OR coalesce(json_extract(e.metadata, '$.ce_tenant'), '') <> t.tenant);

-- What was erased from the timeline, so that nothing brings it back.

CREATE TABLE timeline_erased (
    what TEXT NOT NULL, -- "notification", or "recipient"
    name TEXT NOT NULL, -- its ID; for a recipient a hash
    at   TEXT NOT NULL,
    PRIMARY KEY (what, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX timeline_erased_at ON timeline_erased (at);

CREATE TABLE timeline_contents (
    notification TEXT    NOT NULL,
    leg          INTEGER NOT NULL,
    at           TEXT    NOT NULL,
    recipient    TEXT    NOT NULL, -- a hash
    key_id       TEXT    NOT NULL, -- the key of the ring that wrapped_key is under
    wrapped_key  BLOB    NOT NULL,
    content      BLOB    NOT NULL, -- sealed
    PRIMARY KEY (notification, leg)
) STRICT;
CREATE INDEX timeline_contents_at ON timeline_contents (at);
CREATE INDEX timeline_contents_recipient ON timeline_contents (recipient) WHERE recipient <> '';
