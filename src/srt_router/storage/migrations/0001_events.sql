-- Event history. The id grows with time; newest first is its order, downwards.
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    route_id TEXT,
    process_type TEXT,
    message TEXT NOT NULL,
    data TEXT NOT NULL,
    actor TEXT,
    repeated INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX events_of_route ON events (route_id, id);
CREATE INDEX events_of_kind ON events (kind, id);
