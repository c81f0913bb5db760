-- History of statistics: one row per leg and slot of time, in whole numbers (the units are in statistics_rows.py).
CREATE TABLE statistics_series (
    id INTEGER PRIMARY KEY,
    route_id TEXT NOT NULL,
    leg TEXT NOT NULL,
    last_t INTEGER NOT NULL,
    UNIQUE (route_id, leg)
) STRICT;

CREATE TABLE statistics_10s (
    series INTEGER NOT NULL,
    t INTEGER NOT NULL,
    bitrate INTEGER, packets INTEGER, lost INTEGER, retransmitted INTEGER, dropped INTEGER, belated INTEGER,
    bus_drops INTEGER, ms_rtt INTEGER, mbps_bandwidth INTEGER, buffer_ms INTEGER, fps INTEGER,
    connected INTEGER, cpu_percent INTEGER, memory_bytes INTEGER,
    PRIMARY KEY (series, t)
) STRICT, WITHOUT ROWID;

CREATE TABLE statistics_60s (
    series INTEGER NOT NULL,
    t INTEGER NOT NULL,
    bitrate INTEGER, packets INTEGER, lost INTEGER, retransmitted INTEGER, dropped INTEGER, belated INTEGER,
    bus_drops INTEGER, ms_rtt INTEGER, mbps_bandwidth INTEGER, buffer_ms INTEGER, fps INTEGER,
    connected INTEGER, cpu_percent INTEGER, memory_bytes INTEGER,
    PRIMARY KEY (series, t)
) STRICT, WITHOUT ROWID;
