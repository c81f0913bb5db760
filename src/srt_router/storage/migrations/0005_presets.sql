-- The operator's own transcode presets: documents, as the API takes them.
CREATE TABLE presets (
    id TEXT PRIMARY KEY,
    document TEXT NOT NULL
) STRICT;
