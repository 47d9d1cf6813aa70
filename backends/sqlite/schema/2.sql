-- What was spent: see handlers/cost. Amounts are in millionths of the currency's unit.

CREATE TABLE cost_entries (
    id           TEXT    NOT NULL PRIMARY KEY,
    notification TEXT    NOT NULL, -- empty: it is an observer's
    tenant       TEXT    NOT NULL,
    channel      TEXT    NOT NULL,
    category     TEXT    NOT NULL,
    provider     TEXT    NOT NULL,
    country      TEXT    NOT NULL,
    observer     TEXT    NOT NULL,
    event        TEXT    NOT NULL,
    month        TEXT    NOT NULL,
    day          TEXT    NOT NULL,
    at           TEXT    NOT NULL,
    messages     INTEGER NOT NULL,
    segments     INTEGER NOT NULL,
    invocations  INTEGER NOT NULL,
    nanoseconds  INTEGER NOT NULL,
    facts        INTEGER NOT NULL,
    told_by      TEXT    NOT NULL,
    micros       INTEGER NOT NULL,
    currency     TEXT    NOT NULL, -- empty: it has no price
    source       INTEGER NOT NULL,
    priced_at    TEXT    NOT NULL,
    priced_by    TEXT    NOT NULL
) STRICT;
CREATE INDEX cost_entries_notification ON cost_entries (notification) WHERE notification <> '';
CREATE INDEX cost_entries_at ON cost_entries (at);

CREATE TABLE cost_sums (
    period      TEXT    NOT NULL, -- a month or a day
    every       INTEGER NOT NULL, -- 1: of all tenants, and tenant is empty
    tenant      TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    category    TEXT    NOT NULL,
    provider    TEXT    NOT NULL,
    country     TEXT    NOT NULL,
    observer    TEXT    NOT NULL,
    event       TEXT    NOT NULL,
    currency    TEXT    NOT NULL,
    micros      INTEGER NOT NULL,
    messages    INTEGER NOT NULL,
    segments    INTEGER NOT NULL,
    invocations INTEGER NOT NULL,
    nanoseconds INTEGER NOT NULL,
    PRIMARY KEY (period, every, tenant, channel, category, provider, country, observer, event, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE cost_forgotten (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    at  TEXT    NOT NULL -- of the latest entry that was deleted
) STRICT;
