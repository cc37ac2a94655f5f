-- Which life of Redis a bucket was last served in: another one has lost what the earlier acknowledged.
BEGIN;
SET LOCAL client_min_messages = warning;
DO $migration$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('sanctum messaging migrations', 0));
  IF EXISTS (SELECT FROM messaging.schema_migration WHERE name = '20250206_redis_life') THEN
    RETURN;
  END IF;

  ALTER TABLE messaging.dispatch_bucket ADD COLUMN redis_life text;

  -- A build that does not know the column leaves it as it is.
  INSERT INTO messaging.schema_migration (name, builds_from)
  VALUES ('20250206_redis_life', '20250205_dead_letters_and_retention');
END
$migration$;
COMMIT;
