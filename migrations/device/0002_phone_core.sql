-- What the phone core learned after its first release: leaving aside for a while what the server fails at, mending what it refused,
-- letting go of what it confirmed, being revoked and enrolled anew, and telling how its last syncs ended.

-- How often the server failed (5xx) at a request with nothing else in it, and until when the command waits since; later ones about
-- its order wait with it. `mended_by` is the command that was given instead of a rejected one; `settled_at` is when the tester dealt
-- with it, in this way or another. It stays for the record (R-TEST-5).
ALTER TABLE commands ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE commands ADD COLUMN deferred_until INTEGER;
ALTER TABLE commands ADD COLUMN mended_by BLOB CHECK (length(mended_by) = 16);
ALTER TABLE commands ADD COLUMN settled_at INTEGER;

-- The same for blocks. An evicted block's bytes are with the server and empty here.
ALTER TABLE blocks ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN deferred_until INTEGER;
ALTER TABLE blocks ADD COLUMN evicted_at INTEGER;

-- An evicted photo's file is gone, the server has it.
ALTER TABLE photos ADD COLUMN evicted_at INTEGER;

-- Since when this device is revoked: what may not stay is gone from here, what is unsent waits for an enrolment under a new id.
ALTER TABLE device ADD COLUMN revoked_at INTEGER;

-- Ids under which this installation was enrolled before; blocks that it sealed then name them.
CREATE TABLE retired_devices (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    public_key BLOB NOT NULL CHECK (length(public_key) = 32),
    retired_at INTEGER NOT NULL
) STRICT;

-- What the tester has set.
CREATE TABLE settings (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    metered_use TEXT NOT NULL DEFAULT 'everything',
    quota_bytes INTEGER
) STRICT;
INSERT INTO settings (singleton) VALUES (1);

-- The last syncs, for diagnosis; nothing of what they carried.
CREATE TABLE sync_history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ended_at INTEGER NOT NULL,
    ended TEXT NOT NULL,
    problem TEXT,
    rounds INTEGER NOT NULL,
    commands_rejected INTEGER NOT NULL,
    photos_stored INTEGER NOT NULL
) STRICT;
