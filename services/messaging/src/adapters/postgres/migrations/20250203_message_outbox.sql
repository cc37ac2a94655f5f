-- The log: conversations' counters, the partitioned outbox, the trigger that gives each row its place.
--
-- Applied by `sanctum migrate`, by the service at its start, or by hand with `psql -f`: on an empty database,
-- twice without harm, and in one transaction. A file that is registered in messaging.schema_migration does
-- nothing, so re-applying an old one never takes back what a newer one made.
BEGIN;
SET LOCAL client_min_messages = warning;
DO $migration$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('sanctum messaging migrations', 0));

  CREATE SCHEMA IF NOT EXISTS messaging;
  -- `checksum` is NULL for a file applied by hand; the runner fills it in when it adopts the file.
  CREATE TABLE IF NOT EXISTS messaging.schema_migration (
    name       text PRIMARY KEY,
    checksum   text,
    applied_at timestamptz NOT NULL DEFAULT now()
  );
  IF EXISTS (SELECT FROM messaging.schema_migration WHERE name = '20250203_message_outbox') THEN
    RETURN;
  END IF;

  -- Roles belong to the whole cluster: an administrator may have made them for us, and another database's
  -- migration may be making them at this moment.
  -- sanctum_intake owns append_messages() and nothing else; nobody logs in as it.
  IF to_regrole('sanctum_intake') IS NULL THEN
    BEGIN
      CREATE ROLE sanctum_intake NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END IF;
  -- What an operator at a psql prompt is: GRANT sanctum_operator TO <login>.
  IF to_regrole('sanctum_operator') IS NULL THEN
    BEGIN
      CREATE ROLE sanctum_operator NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END IF;

  -- One row. `id` names this installation in Redis channel names, which know no database numbers.
  -- `partition_span` is a day; a soak test squeezes it to minutes.
  CREATE TABLE messaging.installation (
    singleton      boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id             uuid NOT NULL DEFAULT gen_random_uuid(),
    partition_span interval NOT NULL DEFAULT '1 day'
      CHECK (partition_span BETWEEN '1 second' AND '1 day')
  );
  INSERT INTO messaging.installation DEFAULT VALUES;

  -- One row. Raised by `sanctum epoch raise` after a restore has set the log back.
  CREATE TABLE messaging.log_epoch (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    epoch     bigint NOT NULL DEFAULT 1 CHECK (epoch >= 1),
    raised_at timestamptz NOT NULL DEFAULT now()
  );
  INSERT INTO messaging.log_epoch DEFAULT VALUES;

  -- A conversation's counter row. Its lock orders everything: seq, membership, expiry.
  -- Half-filled pages keep the update of each commit HOT.
  CREATE TABLE messaging.conversation (
    conversation_id  uuid PRIMARY KEY,
    last_seq         bigint NOT NULL DEFAULT 0 CHECK (last_seq >= 0),
    -- everything up to and including floor_seq has expired
    floor_seq        bigint NOT NULL DEFAULT 0 CHECK (floor_seq BETWEEN 0 AND last_seq),
    members_version  bigint NOT NULL DEFAULT 0,
    member_count     integer NOT NULL DEFAULT 0 CHECK (member_count BETWEEN 0 AND 10000),
    owner            text COLLATE "C",
    -- SHA-256 of the owner and the first members: recognises the same creation sent again
    created_hash     bytea,
    created_at       timestamptz NOT NULL DEFAULT now(),
    last_occurred_at timestamptz
  ) WITH (fillfactor = 50);

  CREATE SEQUENCE messaging.message_outbox_id_seq;

  CREATE TABLE messaging.message_outbox (
    -- in each conversation ORDER BY id is commit order: taken under the counter's lock, never by a default
    id              bigint NOT NULL,
    event_id        uuid NOT NULL,
    message_id      uuid NOT NULL,
    event_type      text NOT NULL CHECK (event_type ~ '^[A-Za-z0-9._:-]{1,64}$'),
    aggregate_id    uuid NOT NULL,
    seq             bigint NOT NULL CHECK (seq >= 1),
    payload         jsonb NOT NULL,
    status          text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent', 'dead')),
    attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    occurred_at     timestamptz NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    dispatched_at   timestamptz,
    last_error      text,
    -- how often an operator has had the row sent again
    replay_no       integer NOT NULL DEFAULT 0,
    -- hash of aggregate_id, 0…63: the dispatchers' unit of ownership
    bucket          smallint NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    -- the conversation's members_version when the row was committed
    members_version bigint NOT NULL,
    -- octets of `payload` as text: sums and limits without reading it
    size_bytes      integer NOT NULL,
    -- SHA-256 of sender, conversation, decoded ciphertext, scheme and key_id; NULL for an operator's row
    content_hash    bytea,
    -- a failed row's conversation is parked until then
    next_attempt_at timestamptz,
    -- a dead row that outlives its day's partition
    kept            boolean NOT NULL DEFAULT false
  ) PARTITION BY LIST (kept);

  -- Ciphertext does not compress: no CPU is spent on trying.
  ALTER TABLE messaging.message_outbox ALTER COLUMN payload SET STORAGE EXTERNAL;

  CREATE TABLE messaging.message_outbox_days PARTITION OF messaging.message_outbox
    FOR VALUES IN (false) PARTITION BY RANGE (occurred_at);
  CREATE TABLE messaging.message_outbox_default PARTITION OF messaging.message_outbox_days DEFAULT;
  CREATE TABLE messaging.message_outbox_kept PARTITION OF messaging.message_outbox FOR VALUES IN (true);

  -- resume, history and the pump's pages
  CREATE INDEX message_outbox_place ON messaging.message_outbox (aggregate_id, seq);
  -- idempotency, and the trace of one message
  CREATE INDEX message_outbox_message ON messaging.message_outbox (message_id, aggregate_id);
  -- the dispatcher's claim, and which buckets have work
  CREATE INDEX message_outbox_pending ON messaging.message_outbox (bucket, id) WHERE status = 'pending';
  -- parked conversations: nearly always empty
  CREATE INDEX message_outbox_retrying ON messaging.message_outbox (aggregate_id)
    WHERE status = 'pending' AND attempts > 0;
  -- what an operator has had sent again: small, beside everything else
  CREATE INDEX message_outbox_replayed ON messaging.message_outbox (aggregate_id, seq) WHERE replay_no > 0;
  -- dead letters: nearly always empty
  CREATE INDEX message_outbox_dead ON messaging.message_outbox (aggregate_id) WHERE status = 'dead';
  -- what was dispatched in the last 30 s, after Redis lost it
  CREATE INDEX message_outbox_dispatched ON messaging.message_outbox
    USING brin (dispatched_at) WITH (pages_per_range = 16, autosummarize = on);

  -- One dispatcher at a time for each bucket: the row's lock is the ownership.
  -- resent_at: when the bucket's recent rows were last sent again after Redis lost its memory.
  CREATE TABLE messaging.dispatch_bucket (
    bucket    smallint PRIMARY KEY CHECK (bucket BETWEEN 0 AND 63),
    resent_at timestamptz NOT NULL DEFAULT '-infinity'
  ) WITH (fillfactor = 50);
  INSERT INTO messaging.dispatch_bucket (bucket) SELECT generate_series(0, 63);

  -- Which bucket a conversation is in. Frozen: a change would let two dispatchers own one conversation.
  CREATE FUNCTION messaging.bucket_of(conversation uuid) RETURNS smallint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $fn$ SELECT (('x' || substr(md5(conversation::text), 1, 2))::bit(8)::int % 64)::smallint $fn$;

  -- Gives each row typed by hand its place. Intake's bulk statement does the same for its rows by itself.
  CREATE FUNCTION messaging.message_outbox_place() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $fn$
    BEGIN
      IF NEW.occurred_at NOT BETWEEN clock_timestamp() - INTERVAL '1 day'
                                 AND clock_timestamp() + INTERVAL '1 day' THEN
        RAISE EXCEPTION 'occurred_at must be within a day of now, or left out'
          USING ERRCODE = 'check_violation';
      END IF;
      INSERT INTO messaging.conversation AS c (conversation_id, last_seq, last_occurred_at)
        VALUES (NEW.aggregate_id, 1, NEW.occurred_at)
        ON CONFLICT (conversation_id) DO UPDATE
          SET last_seq = c.last_seq + 1, last_occurred_at = EXCLUDED.last_occurred_at
        RETURNING c.last_seq, c.members_version INTO NEW.seq, NEW.members_version;
      -- From here on the counter is locked: whoever else adds to this conversation waits.
      IF EXISTS (SELECT FROM messaging.message_outbox
                 WHERE message_id = NEW.message_id AND aggregate_id = NEW.aggregate_id) THEN
        RAISE EXCEPTION 'message_id % exists in conversation %', NEW.message_id, NEW.aggregate_id
          USING ERRCODE = 'unique_violation', CONSTRAINT = 'message_outbox_message';
      END IF;
      NEW.id := nextval('messaging.message_outbox_id_seq');
      NEW.bucket := messaging.bucket_of(NEW.aggregate_id);
      NEW.size_bytes := octet_length(NEW.payload::text);
      NEW.status := 'pending';
      NEW.attempts := 0;
      NEW.dispatched_at := NULL;
      NEW.last_error := NULL;
      NEW.next_attempt_at := NULL;
      NEW.replay_no := 0;
      NEW.content_hash := NULL;
      RETURN NEW;
    END $fn$;

  -- NOT kept: an UPDATE that moves a dead row into its own partition is an insert there, and keeps its place.
  CREATE TRIGGER message_outbox_place BEFORE INSERT ON messaging.message_outbox
    FOR EACH ROW WHEN (NOT NEW.kept AND current_user <> 'sanctum_intake')
    EXECUTE FUNCTION messaging.message_outbox_place();

  -- An operator's UPDATE … SET status = 'pending' is a replay of what had been sent or buried.
  CREATE FUNCTION messaging.message_outbox_replay() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $fn$
    BEGIN
      NEW.replay_no := OLD.replay_no + 1;
      NEW.next_attempt_at := NULL;
      RETURN NEW;
    END $fn$;
  CREATE TRIGGER message_outbox_replay BEFORE UPDATE OF status ON messaging.message_outbox
    FOR EACH ROW WHEN (OLD.status <> 'pending' AND NEW.status = 'pending')
    EXECUTE FUNCTION messaging.message_outbox_replay();

  -- Makes the partitions that `ahead` from now on needs, and those of rows that had to go to DEFAULT, which are
  -- moved to where they belong; returns how many are new. Every pod calls it at its start and hourly. A partition
  -- is built aside and attached: PARTITION OF would lock every reader out.
  CREATE FUNCTION messaging.ensure_message_outbox_partitions(ahead interval DEFAULT '3 days') RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    SET lock_timeout = '10s'
    AS $fn$
    DECLARE
      origin constant timestamptz := '2000-01-01 00:00:00+00';
      span   interval := (SELECT partition_span FROM messaging.installation);
      lower  timestamptz;
      upper  timestamptz;
      part   text;
      made   integer := 0;
    BEGIN
      PERFORM pg_advisory_xact_lock(hashtextextended('sanctum messaging partitions', 0));
      FOR lower IN
        SELECT date_bin(span, d.occurred_at, origin) FROM messaging.message_outbox_default d
        UNION
        SELECT generate_series(date_bin(span, clock_timestamp(), origin), clock_timestamp() + ahead, span)
        ORDER BY 1
      LOOP
        upper := lower + span;
        part := 'message_outbox_p' || to_char(lower,
          CASE WHEN span = '1 day' THEN 'YYYYMMDD' ELSE 'YYYYMMDD_HH24MISS' END);
        IF NOT EXISTS (SELECT FROM pg_class c
                       WHERE c.relnamespace = 'messaging'::regnamespace AND c.relname = part) THEN
          EXECUTE format('CREATE TABLE messaging.%I (LIKE messaging.message_outbox INCLUDING ALL)', part);
          -- Whoever waits for this lock has everybody queueing behind: not long, then. There are days to spare.
          PERFORM set_config('lock_timeout', '100ms', true);
          LOCK TABLE messaging.message_outbox_default IN ACCESS EXCLUSIVE MODE;
          EXECUTE format(
            'WITH moved AS (DELETE FROM messaging.message_outbox_default
               WHERE occurred_at >= %L AND occurred_at < %L RETURNING *)
             INSERT INTO messaging.%I SELECT * FROM moved', lower, upper, part);
          EXECUTE format('ALTER TABLE messaging.message_outbox_days ATTACH PARTITION messaging.%I
            FOR VALUES FROM (%L) TO (%L)', part, lower, upper);
          made := made + 1;
        END IF;
      END LOOP;
      RETURN made;
    END $fn$;
  PERFORM messaging.ensure_message_outbox_partitions();

  GRANT USAGE ON SCHEMA messaging TO sanctum_operator;
  GRANT SELECT ON ALL TABLES IN SCHEMA messaging TO sanctum_operator;
  GRANT INSERT (event_id, message_id, event_type, aggregate_id, payload),
        UPDATE (status, attempts, dispatched_at, last_error)
    ON messaging.message_outbox TO sanctum_operator;

  INSERT INTO messaging.schema_migration (name) VALUES ('20250203_message_outbox');
END
$migration$;
COMMIT;
