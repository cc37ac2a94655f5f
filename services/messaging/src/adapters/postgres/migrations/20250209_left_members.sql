-- Who has left goes after a time, and whoever may change nothing holds up nobody.
BEGIN;
SET LOCAL client_min_messages = warning;
DO $migration$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('sanctum messaging migrations', 0));
  IF EXISTS (SELECT FROM messaging.schema_migration WHERE name = '20250209_left_members') THEN
    RETURN;
  END IF;

  -- When left_seq was set; without a meaning while that is NULL. Rows that were there before count from here on.
  -- now() is one value for all of them, so no row is written.
  ALTER TABLE messaging.conversation_member ADD COLUMN left_at timestamptz DEFAULT now();
  ALTER TABLE messaging.conversation_member ALTER COLUMN left_at DROP DEFAULT;

  -- As it was, but for the look beforehand: users who have no room are told apart before anything is written.
  CREATE OR REPLACE FUNCTION messaging.touch_users(users text[], delta integer) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $fn$
    BEGIN
      IF delta > 0 AND EXISTS (SELECT FROM messaging.user_state
                               WHERE user_id = ANY (users) AND conversation_count >= 10000) THEN
        RAISE EXCEPTION 'too_many_conversations' USING ERRCODE = 'SM001';
      END IF;
      INSERT INTO messaging.user_state AS s (user_id, version, conversation_count)
        SELECT u COLLATE "C", 1, greatest(delta, 0) FROM unnest(users) u ORDER BY u COLLATE "C"
        ON CONFLICT (user_id) DO UPDATE
          SET version = s.version + 1, conversation_count = s.conversation_count + delta;
      IF delta > 0 AND EXISTS (SELECT FROM messaging.user_state
                               WHERE user_id = ANY (users) AND conversation_count > 10000) THEN
        RAISE EXCEPTION 'too_many_conversations' USING ERRCODE = 'SM001';
      END IF;
    END $fn$;

  -- Why `actor` may not change a membership, NULL if they may. `own`: it is about leaving, which is free to whoever
  -- is or was in the conversation; else it takes the present owner, or `manage`.
  CREATE FUNCTION messaging.membership_refusal(id uuid, actor text, manage boolean, own boolean) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
    AS $fn$
      SELECT CASE
        WHEN manage OR (own AND m.user_id IS NOT NULL) THEN NULL
        WHEN m.user_id IS NULL OR m.left_seq IS NOT NULL THEN 'not_found'
        WHEN m.role <> 'owner' THEN 'not_owner' END
      FROM (SELECT 1) once
      LEFT JOIN messaging.conversation_member m ON m.conversation_id = id AND m.user_id = actor
    $fn$;

  -- The two below as they were, but that they judge twice: before the conversation's counter is locked, so that
  -- whoever is refused never stands before its messages, and behind the lock, because the wait for it may be long.
  -- Nor do they wait for as long as they did: whoever is told to come again holds no connection meanwhile.
  CREATE OR REPLACE FUNCTION messaging.add_member(
      id uuid, actor text, manage boolean, member_id text,
      OUT outcome text, OUT joined bigint, OUT version bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
    AS $fn$
    DECLARE
      c       messaging.conversation;
      current messaging.conversation_member;
    BEGIN
      outcome := messaging.membership_refusal(id, actor, manage, false);
      IF outcome IS NOT NULL THEN
        RETURN;
      END IF;
      SELECT * INTO c FROM messaging.conversation x WHERE x.conversation_id = id FOR NO KEY UPDATE;
      outcome := CASE WHEN c.conversation_id IS NULL THEN 'not_found'
                      ELSE messaging.membership_refusal(id, actor, manage, false) END;
      IF outcome IS NOT NULL THEN
        RETURN;
      END IF;
      SELECT * INTO current FROM messaging.conversation_member m
        WHERE m.conversation_id = id AND m.user_id = member_id AND m.left_seq IS NULL;
      IF current.user_id IS NOT NULL THEN
        outcome := 'present';
        joined := current.joined_seq;
        version := c.members_version;
        RETURN;
      END IF;
      IF c.member_count >= 10000 THEN
        outcome := 'conversation_full';
        RETURN;
      END IF;
      PERFORM messaging.touch_users(ARRAY[member_id], 1);
      UPDATE messaging.conversation x
        SET members_version = x.members_version + 1, member_count = x.member_count + 1
        WHERE x.conversation_id = id RETURNING x.members_version INTO version;
      joined := c.last_seq + 1;
      INSERT INTO messaging.conversation_member AS m
          (conversation_id, user_id, role, joined_seq, members_version)
        VALUES (id, member_id,
          CASE WHEN c.owner COLLATE "C" = member_id COLLATE "C" THEN 'owner' ELSE 'member' END, joined, version)
        ON CONFLICT (conversation_id, user_id) DO UPDATE
          SET joined_seq = EXCLUDED.joined_seq, left_seq = NULL, left_at = NULL,
              members_version = EXCLUDED.members_version;
      outcome := 'added';
    END $fn$;

  CREATE OR REPLACE FUNCTION messaging.remove_member(
      id uuid, actor text, manage boolean, member_id text,
      OUT outcome text, OUT last bigint, OUT version bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
    AS $fn$
    DECLARE
      own     boolean := actor COLLATE "C" = member_id COLLATE "C";
      c       messaging.conversation;
    BEGIN
      outcome := messaging.membership_refusal(id, actor, manage, own);
      IF outcome IS NOT NULL THEN
        RETURN;
      END IF;
      -- Nothing to do is said without the lock, too: who was removed may still ask to leave.
      IF own AND NOT manage AND NOT EXISTS (SELECT FROM messaging.conversation_member m
          WHERE m.conversation_id = id AND m.user_id = member_id AND m.left_seq IS NULL) THEN
        SELECT 'absent', x.members_version INTO outcome, version
          FROM messaging.conversation x WHERE x.conversation_id = id;
        RETURN;
      END IF;
      SELECT * INTO c FROM messaging.conversation x WHERE x.conversation_id = id FOR NO KEY UPDATE;
      outcome := CASE WHEN c.conversation_id IS NULL THEN 'not_found'
                      ELSE messaging.membership_refusal(id, actor, manage, own) END;
      IF outcome IS NOT NULL THEN
        RETURN;
      END IF;
      version := c.members_version;
      IF NOT EXISTS (SELECT FROM messaging.conversation_member m
          WHERE m.conversation_id = id AND m.user_id = member_id AND m.left_seq IS NULL) THEN
        outcome := 'absent';
        RETURN;
      END IF;
      PERFORM messaging.touch_users(ARRAY[member_id], -1);
      UPDATE messaging.conversation x
        SET members_version = x.members_version + 1, member_count = x.member_count - 1
        WHERE x.conversation_id = id RETURNING x.members_version INTO version;
      last := c.last_seq;
      UPDATE messaging.conversation_member m
        SET left_seq = last, left_at = clock_timestamp(), members_version = version
        WHERE m.conversation_id = id AND m.user_id = member_id;
      outcome := 'removed';
    END $fn$;

  -- Forgets up to `pieces` memberships that ended longer ago than `age`; returns how many. Whoever is being added
  -- again is passed over, and asked about once more behind the row's lock.
  CREATE FUNCTION messaging.prune_left_members_piece(age interval, pieces integer) RETURNS integer
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
    AS $fn$
      WITH old AS MATERIALIZED (
        SELECT m.conversation_id, m.user_id FROM messaging.conversation_member m
        WHERE m.left_seq IS NOT NULL AND m.left_at < clock_timestamp() - age
        ORDER BY m.left_at LIMIT pieces FOR UPDATE SKIP LOCKED),
      gone AS (
        DELETE FROM messaging.conversation_member m USING old
        WHERE m.conversation_id = old.conversation_id AND m.user_id = old.user_id RETURNING 1)
      SELECT count(*)::integer FROM gone
    $fn$;

  CREATE PROCEDURE messaging.prune_left_members(age interval)
    LANGUAGE plpgsql
    AS $fn$
    BEGIN
      WHILE messaging.prune_left_members_piece(age, 1000) > 0 LOOP
        COMMIT;
      END LOOP;
    END $fn$;

  REVOKE ALL ON FUNCTION messaging.prune_left_members_piece FROM public;

  INSERT INTO messaging.schema_migration (name, builds_from)
    VALUES ('20250209_left_members', '20250205_dead_letters_and_retention');
END
$migration$;
COMMIT;
