-- Times are microseconds since 1970-01-01T00:00:00Z.

CREATE TABLE scan (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    source TEXT NOT NULL,
    regions TEXT NOT NULL,          -- a JSON list
    started INTEGER NOT NULL,
    finished INTEGER                -- NULL: it never was
) STRICT;
CREATE INDEX scan_account ON scan (account, started);

-- How each type in each place was listed, by the scan that asked.
CREATE TABLE listing (
    scan INTEGER NOT NULL REFERENCES scan,
    type TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    at INTEGER NOT NULL,
    cause TEXT,                     -- JSON; NULL: listed completely
    PRIMARY KEY (scan, type, account, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE disabled_region (
    scan INTEGER NOT NULL REFERENCES scan,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (scan, account, region)
) STRICT, WITHOUT ROWID;

CREATE TABLE resource (
    id INTEGER PRIMARY KEY,
    type TEXT NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    identifier TEXT NOT NULL,
    arn TEXT,                       -- of the latest version, as is the label
    label TEXT,
    UNIQUE (account, type, region, identifier)
) STRICT;
CREATE INDEX resource_identifier ON resource (identifier);
CREATE INDEX resource_arn ON resource (arn) WHERE arn IS NOT NULL;

-- What a version consists of, once for all versions that are alike.
CREATE TABLE body (
    hash BLOB NOT NULL PRIMARY KEY, -- BLAKE3 of the canonical JSON
    coding INTEGER NOT NULL,        -- 0: JSON, 1: JSON in zstd
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE version (
    id INTEGER PRIMARY KEY,
    resource INTEGER NOT NULL REFERENCES resource,
    number INTEGER NOT NULL,        -- 1, 2, 3, … for each resource
    body BLOB NOT NULL REFERENCES body,
    since INTEGER NOT NULL,         -- first seen
    seen INTEGER NOT NULL,          -- last seen
    until INTEGER,                  -- NULL: it is so still
    gone INTEGER NOT NULL,          -- 1: the resource was gone then, 0: another version followed, or it is so still
    scan INTEGER NOT NULL REFERENCES scan,  -- the last scan that saw it
    UNIQUE (resource, number)
) STRICT;
CREATE INDEX version_current ON version (resource) WHERE until IS NULL;

-- What could not be read of a version, and its volatile attributes, from a time on.
CREATE TABLE reading (
    id INTEGER PRIMARY KEY,
    version INTEGER NOT NULL REFERENCES version,
    since INTEGER NOT NULL,
    unread TEXT NOT NULL,           -- a JSON list
    unknown TEXT NOT NULL,          -- a JSON list: the paths of which nothing was ever known
    volatile TEXT NOT NULL          -- a JSON object
) STRICT;
CREATE INDEX reading_version ON reading (version, since);
