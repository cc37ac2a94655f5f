-- Stream entries that no consumer could use, and what expires: floors first, then the partition.
BEGIN;
SET LOCAL client_min_messages = warning;
DO $migration$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('sanctum messaging migrations', 0));
  IF EXISTS (SELECT FROM messaging.schema_migration WHERE name = '20250205_dead_letters_and_retention') THEN
    RETURN;
  END IF;

  CREATE TABLE messaging.message_dlq (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- what XACK wants
    entry_id      text NOT NULL,
    source_stream text NOT NULL,
    group_name    text NOT NULL,
    -- as far as the entry says
    event_id      text,
    aggregate_id  text,
    occurred_at   text,
    -- all of the entry's fields, ciphertext at most
    payload       text NOT NULL,
    reason        text NOT NULL,
    attempts      integer NOT NULL DEFAULT 1,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (source_stream, group_name, entry_id)
  );
  CREATE INDEX message_dlq_last_seen ON messaging.message_dlq (last_seen_at);

  -- The partitions in which everything is older than `retention`, oldest first.
  CREATE FUNCTION messaging.expired_message_outbox_partitions(retention interval) RETURNS SETOF regclass
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC'
    AS $fn$
      SELECT c.oid::regclass
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
      CROSS JOIN LATERAL substring(pg_get_expr(c.relpartbound, c.oid)
                                   FROM $re$TO \('([^']+)'\)$re$) AS upper_bound
      WHERE i.inhparent = 'messaging.message_outbox_days'::regclass
        AND upper_bound::timestamptz <= clock_timestamp() - retention
      ORDER BY upper_bound::timestamptz
    $fn$;

  -- Waits until nobody is writing to a partition that has expired; returns the newest id of all, NULL when that
  -- was not to be had within 100 ms. A transaction that was left open on its day might otherwise commit a row
  -- after the floors were raised.
  CREATE FUNCTION messaging.await_writers(part regclass) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms'
    AS $fn$
    BEGIN
      IF part NOT IN (SELECT messaging.expired_message_outbox_partitions(INTERVAL '0')) THEN
        RAISE EXCEPTION '% is no expired partition of messaging.message_outbox', part;
      END IF;
      EXECUTE format('LOCK TABLE %s IN SHARE MODE', part);
      RETURN (SELECT last_value FROM messaging.message_outbox_id_seq);
    EXCEPTION WHEN lock_not_available THEN
      RETURN NULL;
    END $fn$;

  -- Raises the floors of up to `pieces` conversations of a partition, those behind `after_id` (NULL: from the
  -- first on); returns the last conversation done, NULL at the end. All pieces together read the partition's index over (aggregate_id, seq)
  -- once, in its order.
  CREATE FUNCTION messaging.raise_floors(part regclass, after_id uuid, pieces integer) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
    SET jit = off SET enable_seqscan = off SET enable_hashagg = off SET enable_hashjoin = off SET enable_mergejoin = off
    AS $fn$
    DECLARE
      ids  uuid[];
      tops bigint[];
    BEGIN
      IF part NOT IN (SELECT i.inhrelid::regclass FROM pg_inherits i
                      WHERE i.inhparent = 'messaging.message_outbox_days'::regclass) THEN
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
    END $fn$;

  -- Moves a partition's dead rows to where they outlive it; returns how many.
  CREATE FUNCTION messaging.keep_dead_rows(part regclass) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
    SET jit = off SET enable_seqscan = off
    AS $fn$
      WITH moved AS (UPDATE messaging.message_outbox SET kept = true
                     WHERE status = 'dead' AND NOT kept AND tableoid = part RETURNING 1)
      SELECT count(*) FROM moved
    $fn$;

  -- Drops an expired partition, once every row in it is below its conversation's floor; false: its lock was
  -- not to be had within 100 ms, or something came in meanwhile. The wait is short because whoever waits for
  -- this lock has everybody queueing behind, and so are the checks: both read small partial indexes. The parent is
  -- locked first, as every query does: the other way round writers and this would stop each other.
  CREATE FUNCTION messaging.drop_message_outbox_partition(part regclass, last_id bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms'
    SET jit = off SET enable_seqscan = off
    AS $fn$
    DECLARE
      late boolean;
    BEGIN
      IF part NOT IN (SELECT messaging.expired_message_outbox_partitions(INTERVAL '0')) THEN
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
    EXCEPTION WHEN lock_not_available THEN
      RETURN false;
    END $fn$;

  -- CALL messaging.prune_message_outbox(INTERVAL '7 days'): drops what is older. It commits piece by piece, so
  -- it cannot stand inside a transaction; interrupted, it goes on from where it was.
  CREATE PROCEDURE messaging.prune_message_outbox(retention interval)
    LANGUAGE plpgsql
    AS $fn$
    DECLARE
      parts   regclass[];
      part    regclass;
      name    text;
      after   uuid;
      last_id bigint;
      kept    bigint;
      tries   integer;
    BEGIN
      IF retention IS NULL OR retention < INTERVAL '0' THEN
        RAISE EXCEPTION 'retention must be an interval of zero or more, e.g. INTERVAL ''7 days'''
          USING ERRCODE = 'invalid_parameter_value';
      END IF;
      parts := ARRAY(SELECT messaging.expired_message_outbox_partitions(retention));
      FOREACH part IN ARRAY parts LOOP
        tries := 0;
        kept := 0;
        name := part::text;
        LOOP
          last_id := messaging.await_writers(part);
          COMMIT;
          IF last_id IS NOT NULL THEN
            after := NULL;
            LOOP
              after := messaging.raise_floors(part, after, 1000);
              COMMIT;
              EXIT WHEN after IS NULL;
            END LOOP;
            kept := kept + messaging.keep_dead_rows(part);
            COMMIT;
            EXIT WHEN messaging.drop_message_outbox_partition(part, last_id);
            COMMIT;
          END IF;
          tries := tries + 1;
          IF tries >= 60 THEN
            RAISE EXCEPTION 'partition % is in use: call again later', name USING ERRCODE = 'lock_not_available';
          END IF;
          PERFORM pg_sleep(0.2 + random() * 0.6);
        END LOOP;
        COMMIT;
        RAISE NOTICE 'dropped %, kept % dead rows of it', name, kept;
      END LOOP;
      -- kept rows that were sent after all
      PERFORM messaging.prune_kept_rows(retention);
    END $fn$;

  CREATE FUNCTION messaging.prune_kept_rows(retention interval) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $fn$
      WITH gone AS (DELETE FROM messaging.message_outbox_kept
                    WHERE status = 'sent' AND dispatched_at < clock_timestamp() - retention RETURNING 1)
      SELECT count(*) FROM gone
    $fn$;

  CREATE FUNCTION messaging.prune_dlq_piece(retention interval, pieces integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $fn$
      WITH gone AS (
        DELETE FROM messaging.message_dlq WHERE id IN (
          SELECT id FROM messaging.message_dlq WHERE last_seen_at < clock_timestamp() - retention
          ORDER BY last_seen_at LIMIT pieces) RETURNING 1),
      buried AS (
        DELETE FROM messaging.message_outbox_kept WHERE (aggregate_id, seq) IN (
          SELECT aggregate_id, seq FROM messaging.message_outbox_kept
          WHERE status = 'dead' AND occurred_at < clock_timestamp() - retention LIMIT pieces) RETURNING 1)
      SELECT ((SELECT count(*) FROM gone) + (SELECT count(*) FROM buried))::integer
    $fn$;

  -- CALL messaging.prune_message_dlq(INTERVAL '30 days'): stream entries last seen longer ago, and dead rows
  -- that outlived their partition by as long.
  CREATE PROCEDURE messaging.prune_message_dlq(retention interval)
    LANGUAGE plpgsql
    AS $fn$
    BEGIN
      IF retention IS NULL OR retention < INTERVAL '0' THEN
        RAISE EXCEPTION 'retention must be an interval of zero or more, e.g. INTERVAL ''30 days'''
          USING ERRCODE = 'invalid_parameter_value';
      END IF;
      WHILE messaging.prune_dlq_piece(retention, 1000) > 0 LOOP
        COMMIT;
      END LOOP;
    END $fn$;

  REVOKE ALL ON FUNCTION messaging.raise_floors, messaging.keep_dead_rows, messaging.await_writers,
    messaging.drop_message_outbox_partition, messaging.prune_kept_rows, messaging.prune_dlq_piece FROM public;
  GRANT EXECUTE ON FUNCTION messaging.raise_floors, messaging.keep_dead_rows, messaging.await_writers,
    messaging.drop_message_outbox_partition, messaging.prune_kept_rows, messaging.prune_dlq_piece
    TO sanctum_operator;
  GRANT SELECT ON messaging.message_dlq TO sanctum_operator;

  INSERT INTO messaging.schema_migration (name) VALUES ('20250205_dead_letters_and_retention');
END
$migration$;
COMMIT;
