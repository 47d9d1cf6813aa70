-- Webhooks: endpoints, messages, what waits for whom, and the ledger.

CREATE TABLE webhook_endpoints (
    number        INTEGER PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    tenant        TEXT    NOT NULL,
    url           TEXT    NOT NULL,
    secrets       TEXT    NOT NULL, -- a JSON array
    types         TEXT    NOT NULL, -- a JSON array
    ordered       INTEGER NOT NULL,
    concurrency   INTEGER NOT NULL,
    disabled      TEXT    NOT NULL, -- why; empty: it is enabled
    disabled_at   TEXT,
    failing_since TEXT,
    held_until    TEXT,
    proven        INTEGER NOT NULL,
    slow          INTEGER NOT NULL,
    pending       INTEGER NOT NULL, -- how many messages wait for it
    dropped       INTEGER NOT NULL, -- how many no longer do, for want of room
    attempts      INTEGER NOT NULL, -- that were ever made
    lane          INTEGER NOT NULL, -- 0: fast, 1: slow
    first_due     TEXT,             -- when the next one is due; NULL: nothing waits
    call_free     TEXT,             -- when one more call may begin, if not now
    ready         TEXT GENERATED ALWAYS AS (CASE disabled WHEN ''
        THEN max(first_due, coalesce(call_free, ''), coalesce(held_until, '')) END) VIRTUAL
) STRICT;
CREATE INDEX webhook_endpoints_ready ON webhook_endpoints (lane, ready) WHERE ready IS NOT NULL;
CREATE INDEX webhook_endpoints_tenant ON webhook_endpoints (tenant, id);
CREATE INDEX webhook_endpoints_disabled ON webhook_endpoints (id) WHERE disabled != '';
CREATE INDEX webhook_endpoints_disabled_tenant ON webhook_endpoints (tenant, id) WHERE disabled != '';

CREATE TABLE webhook_types (
    tenant   TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    endpoint INTEGER NOT NULL REFERENCES webhook_endpoints (number) ON DELETE CASCADE,
    PRIMARY KEY (tenant, type, endpoint)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_types_endpoint ON webhook_types (endpoint);

CREATE TABLE webhook_messages (
    number INTEGER PRIMARY KEY, -- in the order in which they were added
    id     TEXT    NOT NULL UNIQUE,
    type   TEXT    NOT NULL,
    tenant TEXT    NOT NULL,
    at     TEXT    NOT NULL,
    size   INTEGER NOT NULL, -- of the body, in bytes
    body   ANY     NOT NULL
) STRICT;
CREATE INDEX webhook_messages_at ON webhook_messages (tenant, at, number, type, size);

CREATE TABLE webhook_waiting (
    endpoint INTEGER NOT NULL REFERENCES webhook_endpoints (number) ON DELETE CASCADE,
    message  INTEGER NOT NULL REFERENCES webhook_messages (number) ON DELETE CASCADE,
    attempts INTEGER NOT NULL, -- made so far
    due      TEXT    NOT NULL, -- of a leased one, when the lease ends
    token    INTEGER,          -- of the lease; NULL: it is not leased
    PRIMARY KEY (endpoint, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_waiting_due ON webhook_waiting (endpoint, due, message);
CREATE INDEX webhook_waiting_leased ON webhook_waiting (endpoint, due) WHERE token IS NOT NULL;
CREATE INDEX webhook_waiting_message ON webhook_waiting (message);

CREATE TABLE webhook_attempts (
    endpoint INTEGER NOT NULL REFERENCES webhook_endpoints (number) ON DELETE CASCADE,
    n        INTEGER NOT NULL, -- in the order in which they were finished, from 1
    message  TEXT    NOT NULL, -- its ID
    type     TEXT    NOT NULL,
    number   INTEGER NOT NULL, -- counts the attempts for the message
    at       TEXT    NOT NULL,
    took     INTEGER NOT NULL, -- nanoseconds
    status   INTEGER NOT NULL, -- of HTTP; 0: none came
    failure  TEXT    NOT NULL, -- empty: it succeeded
    next     TEXT,             -- when it is tried again
    PRIMARY KEY (endpoint, n)
) STRICT, WITHOUT ROWID;

-- Whom not to send to.

CREATE TABLE suppressions (
    tenant    TEXT    NOT NULL,
    channel   TEXT    NOT NULL,
    recipient TEXT    NOT NULL, -- its ID, or empty
    hash      TEXT    NOT NULL, -- of the address, or empty
    scope     TEXT    NOT NULL, -- a category; empty: all
    reason    TEXT    NOT NULL,
    lifted    INTEGER NOT NULL, -- 1: it was taken off the list
    at        TEXT    NOT NULL,
    event     TEXT    NOT NULL, -- the ID of the event that says so
    PRIMARY KEY (tenant, channel, recipient, hash, scope)
) STRICT, WITHOUT ROWID;
CREATE INDEX suppressions_recipient ON suppressions (recipient, tenant) WHERE lifted = 0 AND recipient != '';
CREATE INDEX suppressions_hash ON suppressions (hash, tenant) WHERE lifted = 0 AND hash != '';
