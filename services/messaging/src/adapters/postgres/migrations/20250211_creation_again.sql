-- An owner who has left is told no more of their conversation by creating it again than by asking for it.
BEGIN;
SET LOCAL client_min_messages = warning;
DO $migration$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('sanctum messaging migrations', 0));
  IF EXISTS (SELECT FROM messaging.schema_migration WHERE name = '20250211_creation_again') THEN
    RETURN;
  END IF;

  -- As it was, but that `same` takes an owner who is in the conversation.
  CREATE OR REPLACE FUNCTION messaging.create_conversation(
      id uuid, owner_id text, member_ids text[], hash bytea,
      OUT outcome text, OUT head bigint, OUT version bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s'
    AS $fn$
    BEGIN
      INSERT INTO messaging.conversation (conversation_id, owner, created_hash, members_version, member_count)
        VALUES (id, owner_id, hash, 1, cardinality(member_ids))
        ON CONFLICT (conversation_id) DO NOTHING;
      IF NOT FOUND THEN
        SELECT 'same', c.last_seq, c.members_version INTO outcome, head, version
          FROM messaging.conversation c
          JOIN messaging.conversation_member m USING (conversation_id)
          WHERE c.conversation_id = id AND c.created_hash = hash AND m.user_id = owner_id AND m.left_seq IS NULL;
        IF NOT FOUND THEN
          outcome := 'exists';
        END IF;
        RETURN;
      END IF;
      PERFORM messaging.touch_users(member_ids, 1);
      INSERT INTO messaging.conversation_member (conversation_id, user_id, role, joined_seq, members_version)
        SELECT id, u, CASE WHEN u COLLATE "C" = owner_id COLLATE "C" THEN 'owner' ELSE 'member' END, 1, 1
        FROM unnest(member_ids) u;
      outcome := 'created';
      head := 0;
      version := 1;
    END $fn$;

  INSERT INTO messaging.schema_migration (name, builds_from)
    VALUES ('20250211_creation_again', '20250205_dead_letters_and_retention');
END
$migration$;
COMMIT;
