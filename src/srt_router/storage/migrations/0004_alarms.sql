-- Alarms. Rules, receivers and alarms are documents, as the API shows them (a receiver with its secret).
CREATE TABLE alarm_rules (
    id TEXT PRIMARY KEY,
    document TEXT NOT NULL
) STRICT;
CREATE TABLE alarm_receivers (
    id TEXT PRIMARY KEY,
    document TEXT NOT NULL
) STRICT;
CREATE TABLE alarms (
    id TEXT PRIMARY KEY,
    raised_ms INTEGER NOT NULL,
    cleared_ms INTEGER,
    document TEXT NOT NULL
) STRICT;
-- Messages that are not delivered yet.
CREATE TABLE alarm_deliveries (
    id TEXT PRIMARY KEY,
    receiver_id TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;
-- Holds a row as soon as the rules that an installation begins with have been made: once removed, they stay so.
CREATE TABLE alarm_setup (
    defaults_made INTEGER NOT NULL
) STRICT;
