-- What a user is in is found beside what they have left, however much that is. Membership changes wait while the
-- indexes are made; messages and readers do not.
BEGIN;
SET LOCAL client_min_messages = warning;
DO $migration$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('sanctum messaging migrations', 0));
  IF EXISTS (SELECT FROM messaging.schema_migration WHERE name = '20250210_left_members_indexes') THEN
    RETURN;
  END IF;

  -- a user's conversations; builds before this one use conversation_member_user
  CREATE INDEX conversation_member_present ON messaging.conversation_member (user_id, conversation_id)
    WHERE left_seq IS NULL;
  -- what a user has left lately
  CREATE INDEX conversation_member_left ON messaging.conversation_member (user_id, left_at)
    WHERE left_seq IS NOT NULL;
  -- what may be forgotten
  CREATE INDEX conversation_member_left_at ON messaging.conversation_member (left_at)
    WHERE left_seq IS NOT NULL;

  INSERT INTO messaging.schema_migration (name, builds_from)
    VALUES ('20250210_left_members_indexes', '20250205_dead_letters_and_retention');
END
$migration$;
COMMIT;
