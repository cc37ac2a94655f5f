-- What is done by itself, by one pod at a time: partitions ahead, and pruning. Two prunes at once do no harm.
BEGIN;
SET LOCAL client_min_messages = warning;
DO $migration$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('sanctum messaging migrations', 0));
  IF EXISTS (SELECT FROM messaging.schema_migration WHERE name = '20250206_background_jobs') THEN
    RETURN;
  END IF;

  -- A build that does not know a migration still runs on its schema when it knows the one named here: an old pod
  -- that restarts in the middle of a rollout, or after a rollback. NULL: it does not.
  ALTER TABLE messaging.schema_migration ADD COLUMN builds_from text;

  -- One row for each job. A pod takes it by an UPDATE; the database's clock alone says what is due, and until
  -- when it is taken: no run may last longer, so a pod that died holds nothing up for ever.
  CREATE TABLE messaging.background_jobs (
    job               text PRIMARY KEY CHECK (job ~ '^[a-z_]{1,32}$'),
    due_at            timestamptz NOT NULL DEFAULT '-infinity',
    -- the run that holds it, and until when at the most; NULL: none
    run_id            uuid,
    taken_until       timestamptz,
    last_pod          text,
    last_started_at   timestamptz,
    last_succeeded_at timestamptz,
    -- partitions made or dropped by the last success; NULL where nothing is counted
    last_count        integer,
    last_failed_at    timestamptz,
    -- SQLSTATE and statement of the last failure; NULL after a success
    last_error        text,
    -- since the last success
    failures          integer NOT NULL DEFAULT 0
  ) WITH (fillfactor = 50);
  INSERT INTO messaging.background_jobs (job) VALUES ('partitions'), ('prune_outbox'), ('prune_dlq');
  GRANT SELECT ON messaging.background_jobs TO sanctum_operator;

  -- The three below as they were, but for a partition that another prune has dropped meanwhile: nothing is left
  -- to do then. (Dropped between the look and the use, its name is a bare number: a syntax error.)
  CREATE OR REPLACE FUNCTION messaging.await_writers(part regclass) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms'
    AS $fn$
    BEGIN
      IF part NOT IN (SELECT messaging.expired_message_outbox_partitions(INTERVAL '0')) THEN
        IF NOT EXISTS (SELECT FROM pg_class WHERE oid = part) THEN
          RETURN 0;
        END IF;
        RAISE EXCEPTION '% is no expired partition of messaging.message_outbox', part;
      END IF;
      EXECUTE format('LOCK TABLE %s IN SHARE MODE', part);
      RETURN (SELECT last_value FROM messaging.message_outbox_id_seq);
    EXCEPTION WHEN lock_not_available OR undefined_table OR syntax_error THEN
      RETURN NULL;
    END $fn$;

  CREATE OR REPLACE FUNCTION messaging.raise_floors(part regclass, after_id uuid, pieces integer) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
    SET jit = off SET enable_seqscan = off SET enable_hashagg = off SET enable_hashjoin = off SET enable_mergejoin = off
    AS $fn$
    DECLARE
      ids  uuid[];
      tops bigint[];
    BEGIN
      IF part NOT IN (SELECT i.inhrelid::regclass FROM pg_inherits i
                      WHERE i.inhparent = 'messaging.message_outbox_days'::regclass) THEN
        IF NOT EXISTS (SELECT FROM pg_class WHERE oid = part) THEN
          RETURN NULL;
        END IF;
        RAISE EXCEPTION '% is no partition of messaging.message_outbox', part;
      END IF;
      EXECUTE format(
        'SELECT array_agg(aggregate_id ORDER BY aggregate_id), array_agg(top ORDER BY aggregate_id)
         FROM (SELECT aggregate_id, max(seq) AS top FROM %s
               WHERE aggregate_id >= coalesce($1, ''00000000-0000-0000-0000-000000000000'')
                 AND aggregate_id IS DISTINCT FROM $1
               GROUP BY aggregate_id ORDER BY aggregate_id LIMIT $2) x', part)
        INTO ids, tops USING after_id, pieces;
      IF ids IS NULL THEN
        RETURN NULL;
      END IF;
      PERFORM FROM messaging.conversation WHERE conversation_id = ANY (ids)
        ORDER BY conversation_id FOR NO KEY UPDATE;
      UPDATE messaging.conversation c SET floor_seq = greatest(c.floor_seq, t.top)
        FROM unnest(ids, tops) AS t (id, top)
        WHERE c.conversation_id = t.id AND c.floor_seq < t.top;
      RETURN ids[cardinality(ids)];
    EXCEPTION WHEN undefined_table OR syntax_error THEN
      IF EXISTS (SELECT FROM pg_class WHERE oid = part) THEN
        RAISE;
      END IF;
      RETURN NULL;
    END $fn$;

  CREATE OR REPLACE FUNCTION messaging.drop_message_outbox_partition(part regclass, last_id bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms'
    SET jit = off SET enable_seqscan = off
    AS $fn$
    DECLARE
      late boolean;
    BEGIN
      IF part NOT IN (SELECT messaging.expired_message_outbox_partitions(INTERVAL '0')) THEN
        IF NOT EXISTS (SELECT FROM pg_class WHERE oid = part) THEN
          RETURN true;
        END IF;
        RAISE EXCEPTION '% is no expired partition of messaging.message_outbox', part;
      END IF;
      LOCK TABLE ONLY messaging.message_outbox_days IN ACCESS EXCLUSIVE MODE;
      EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', part);
      EXECUTE format('SELECT EXISTS (SELECT FROM %1$s WHERE status = ''dead'')
                          OR EXISTS (SELECT FROM %1$s WHERE status = ''pending'' AND id > $1)', part)
        INTO late USING last_id;
      IF late THEN
        RETURN false;
      END IF;
      EXECUTE format('DROP TABLE %s', part);
      RETURN true;
    EXCEPTION WHEN lock_not_available OR undefined_table OR syntax_error THEN
      RETURN false;
    END $fn$;

  INSERT INTO messaging.schema_migration (name, builds_from)
    VALUES ('20250206_background_jobs', '20250205_dead_letters_and_retention');
END
$migration$;
COMMIT;
