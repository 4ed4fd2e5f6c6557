-- What a phone holds. Ids are 16-byte blobs, instants are microseconds since the Unix epoch in UTC, messages of the protocol are
-- kept in their CBOR form, so that what is sent is what was written. Rows with a `position` were given in that order.

-- This installation: made at the first start, never changed. The private key is absent where the platform's keystore holds it.
CREATE TABLE device (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    id BLOB NOT NULL CHECK (length(id) = 16),
    public_key BLOB NOT NULL CHECK (length(public_key) = 32),
    private_key BLOB CHECK (length(private_key) = 32),
    created_at INTEGER NOT NULL
) STRICT;

-- Who is signed in. A store belongs to one person; signing out empties the tokens and keeps the person.
CREATE TABLE account (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    user_id BLOB NOT NULL CHECK (length(user_id) = 16),
    user_name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    access_token TEXT,
    access_expires_at INTEGER NOT NULL,
    refresh_token TEXT,
    refresh_expires_at INTEGER NOT NULL
) STRICT;

-- Where this phone stands with the server.
CREATE TABLE sync_state (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    cursor BLOB,
    last_sync_at INTEGER,
    clock_ahead_ms INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER
) STRICT;
INSERT INTO sync_state (singleton) VALUES (1);

-- The server's view of each order. One that left the scope stays as a husk without the customer's contact (R-PRIVACY-1), so that
-- what was captured for it can still be named.
CREATE TABLE orders (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    view BLOB NOT NULL,
    in_scope INTEGER NOT NULL CHECK (in_scope IN (0, 1)),
    left_reason TEXT,
    left_at INTEGER
) STRICT;

-- The outbox. A command keeps its id however often it is sent; a rejected one stays with its reason (R-TEST-5).
CREATE TABLE commands (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    work_order_id BLOB NOT NULL CHECK (length(work_order_id) = 16),
    kind TEXT NOT NULL,
    command BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'accepted', 'rejected')),
    order_version INTEGER,
    rejection BLOB,
    decided_at INTEGER
) STRICT;
CREATE INDEX commands_by_order ON commands (work_order_id, position);
CREATE INDEX commands_waiting ON commands (position) WHERE state = 'waiting';

-- The tests that this phone took part in.
CREATE TABLE field_tests (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    work_order_id BLOB NOT NULL CHECK (length(work_order_id) = 16),
    begun_at INTEGER NOT NULL
) STRICT;

-- One source of samples (a log, or a live listener) of one operator in one test. `source_samples` counts what came out of the
-- source and is safe here; `refused_samples` those of them that no block may hold. A log is known again by its first bytes.
CREATE TABLE captures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    field_test_id BLOB NOT NULL REFERENCES field_tests (id),
    operator TEXT NOT NULL,
    source_name TEXT NOT NULL,
    source_prefix_bytes INTEGER NOT NULL,
    source_prefix_hash BLOB,
    source_samples INTEGER NOT NULL DEFAULT 0,
    refused_samples INTEGER NOT NULL DEFAULT 0,
    begun_at INTEGER NOT NULL
) STRICT;
CREATE INDEX captures_by_test ON captures (field_test_id, operator);

-- Samples on their way into a block; written once, removed in the transaction that seals them.
CREATE TABLE segments (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    capture_id INTEGER NOT NULL REFERENCES captures (id),
    sample_count INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    is_damaged INTEGER NOT NULL DEFAULT 0 CHECK (is_damaged IN (0, 1))
) STRICT;
CREATE INDEX segments_by_capture ON segments (capture_id, position);

-- Sealed blocks; the bytes never change.
CREATE TABLE blocks (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    field_test_id BLOB NOT NULL REFERENCES field_tests (id),
    operator TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    sample_count INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('sealed', 'stored', 'quarantined', 'refused')),
    rejection BLOB,
    sealed_at INTEGER NOT NULL,
    decided_at INTEGER,
    UNIQUE (field_test_id, operator, sequence)
) STRICT;
CREATE INDEX blocks_sealed ON blocks (position) WHERE state = 'sealed';

-- Photos; the bytes lie beside this file, named by the photo's id. `command_id` is the command that announces the photo.
CREATE TABLE photos (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    field_test_id BLOB NOT NULL REFERENCES field_tests (id),
    command_id BLOB NOT NULL REFERENCES commands (id),
    manifest BLOB NOT NULL,
    file_name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'stored', 'refused')),
    upload_path TEXT,
    upload_offset INTEGER NOT NULL DEFAULT 0,
    rejection BLOB,
    decided_at INTEGER
) STRICT;
CREATE INDEX photos_waiting ON photos (position) WHERE state = 'waiting';

-- Findings being written, not yet complete.
CREATE TABLE findings_drafts (
    work_order_id BLOB PRIMARY KEY NOT NULL CHECK (length(work_order_id) = 16),
    draft TEXT NOT NULL
) STRICT;
