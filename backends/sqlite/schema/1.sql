-- Times are UTC in the form 2006-01-02T15:04:05.000000Z. Texts that are no UTF-8 are blobs.

CREATE TABLE topics (
    id     INTEGER PRIMARY KEY,
    name   TEXT    NOT NULL UNIQUE,
    oldest INTEGER NOT NULL, -- where a new group begins that wants to read all
    next   INTEGER NOT NULL  -- the position of the next message
) STRICT;

CREATE TABLE messages (
    id        INTEGER PRIMARY KEY,
    topic     INTEGER NOT NULL REFERENCES topics (id),
    position  INTEGER NOT NULL, -- counts the messages of the topic, from 0
    published TEXT    NOT NULL, -- never descends with the position
    uuid      TEXT    NOT NULL,
    key       TEXT    NOT NULL, -- messages of one key keep their order; empty: none
    metadata  TEXT    NOT NULL, -- a JSON object of strings
    payload   ANY     NOT NULL
) STRICT;
CREATE UNIQUE INDEX messages_position ON messages (topic, position);

CREATE TABLE positions (
    id         INTEGER PRIMARY KEY,
    topic      INTEGER NOT NULL REFERENCES topics (id),
    group_name TEXT    NOT NULL,
    next       INTEGER NOT NULL, -- every message before it is finished, or in waiting
    seen       TEXT    NOT NULL, -- about when the group last had a member
    abandoned  TEXT,             -- since when it holds nothing back, for want of members
    UNIQUE (topic, group_name)
) STRICT;

CREATE TABLE waiting (
    topic    INTEGER NOT NULL REFERENCES topics (id),
    position INTEGER NOT NULL,
    group_id INTEGER NOT NULL REFERENCES positions (id) ON DELETE CASCADE,
    attempts INTEGER NOT NULL, -- how often it failed; 0: it queues behind one of its key
    due      TEXT,             -- when it is delivered again
    PRIMARY KEY (topic, position, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX waiting_group ON waiting (group_id, position);

CREATE TABLE delayed (
    id       INTEGER PRIMARY KEY,
    due      TEXT    NOT NULL,
    topic    INTEGER NOT NULL REFERENCES topics (id),
    uuid     TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    metadata TEXT    NOT NULL,
    payload  ANY     NOT NULL
) STRICT;
CREATE INDEX delayed_due ON delayed (due, id);

CREATE TABLE records (
    id       TEXT    NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    due      TEXT,
    expires  TEXT,
    body     ANY     NOT NULL
) STRICT;
CREATE INDEX records_due ON records (due) WHERE due IS NOT NULL;
CREATE INDEX records_expires ON records (expires) WHERE expires IS NOT NULL;
CREATE INDEX records_idle ON records (expires) WHERE due IS NULL AND expires IS NOT NULL;

CREATE TABLE aliases (
    alias  TEXT NOT NULL PRIMARY KEY,
    record TEXT NOT NULL REFERENCES records (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX aliases_record ON aliases (record);

CREATE TABLE dead_letters (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TEXT    NOT NULL,
    group_name TEXT    NOT NULL,
    topic      TEXT    NOT NULL,
    class      TEXT    NOT NULL,
    error      TEXT    NOT NULL,
    attempts   INTEGER NOT NULL,
    uuid       TEXT    NOT NULL,
    metadata   TEXT    NOT NULL,
    payload    ANY     NOT NULL
) STRICT;
CREATE INDEX dead_letters_group ON dead_letters (group_name, id);

CREATE TABLE secrets (
    name   TEXT NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL
) STRICT;

CREATE TABLE timeline (
    notification TEXT    NOT NULL PRIMARY KEY,
    at           TEXT    NOT NULL,
    recipient    TEXT    NOT NULL,
    tenant       TEXT    NOT NULL,
    category     TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    settled      INTEGER NOT NULL,
    version      INTEGER NOT NULL, -- counts its changes
    truncated    INTEGER NOT NULL  -- 1: events were left out
) STRICT;
CREATE INDEX timeline_at ON timeline (at, notification);
CREATE INDEX timeline_recipient ON timeline (recipient, at, notification);
CREATE INDEX timeline_tenant ON timeline (tenant, at, notification);

CREATE TABLE timeline_events (
    notification TEXT    NOT NULL REFERENCES timeline (notification) ON DELETE CASCADE,
    n            INTEGER NOT NULL, -- in the order in which they came
    id           TEXT    NOT NULL,
    type         TEXT    NOT NULL,
    time         TEXT    NOT NULL,
    metadata     TEXT    NOT NULL, -- the attributes of the CloudEvent, a JSON object
    data         ANY     NOT NULL, -- the event's data, in JSON
    PRIMARY KEY (notification, n),
    UNIQUE (notification, id)
) STRICT;

-- For people.

CREATE VIEW log AS
SELECT t.name AS topic, m.position, m.published, m.uuid, m.key, m.metadata, m.payload
FROM messages m JOIN topics t ON t.id = m.topic;

CREATE VIEW lags AS
SELECT t.name AS topic, p.group_name,
    t.next - max(p.next, t.oldest) + (SELECT count(*) FROM waiting w WHERE w.group_id = p.id) AS lag,
    (SELECT count(*) FROM waiting w WHERE w.group_id = p.id) AS waiting,
    p.seen, p.abandoned
FROM positions p JOIN topics t ON t.id = p.topic;
