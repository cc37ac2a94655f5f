-- What operators' work leaves behind goes after its time, and nobody speaks in another's name on record.
BEGIN;
SET LOCAL client_min_messages = warning;
DO $migration$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('sanctum messaging migrations', 0));
  IF EXISTS (SELECT FROM messaging.schema_migration WHERE name = '20250208_operator_records') THEN
    RETURN;
  END IF;

  INSERT INTO messaging.background_jobs (job) VALUES ('prune_records');

  -- The two below as they were, but for `operator`: only who may act as the owner, as the service does, names
  -- somebody else. Whoever types it at a prompt is named by the role that they logged in with.
  CREATE OR REPLACE FUNCTION messaging.set_control(
      stage_name text, pause boolean, why text, operator text DEFAULT NULL, expires_in interval DEFAULT NULL)
    RETURNS messaging.control
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $fn$
    DECLARE
      who text := coalesce(CASE WHEN pg_has_role(session_user, current_user, 'MEMBER') THEN operator END,
                           'psql:' || session_user);
      now_is messaging.control;
    BEGIN
      UPDATE messaging.control SET paused = pause, changed_by = who, reason = why, changed_at = clock_timestamp(),
        expires_at = CASE WHEN pause THEN clock_timestamp() + expires_in END
        WHERE stage = stage_name RETURNING * INTO now_is;
      IF NOT FOUND THEN
        RAISE EXCEPTION 'stage must be dispatcher, consumer or delivery' USING ERRCODE = 'invalid_parameter_value';
      END IF;
      INSERT INTO messaging.operator_audit (operator, action, target, parameters)
        VALUES (who, CASE WHEN pause THEN 'pause' ELSE 'resume' END, stage_name,
          jsonb_strip_nulls(jsonb_build_object('reason', why, 'expires_at', now_is.expires_at)));
      RETURN now_is;
    END $fn$;

  CREATE OR REPLACE FUNCTION messaging.revoke(
      subject_kind text, subject_id text, why text DEFAULT NULL, operator text DEFAULT NULL)
    RETURNS messaging.revocation
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $fn$
    DECLARE
      who text := coalesce(CASE WHEN pg_has_role(session_user, current_user, 'MEMBER') THEN operator END,
                           'psql:' || session_user);
      made messaging.revocation;
    BEGIN
      PERFORM pg_advisory_xact_lock(hashtextextended('sanctum messaging revocations', 0));
      INSERT INTO messaging.revocation AS r (kind, subject, revoked_at, revoked_by, reason, version)
        VALUES (subject_kind, subject_id, clock_timestamp(), who, why,
          (SELECT coalesce(max(x.version), 0) + 1 FROM messaging.revocation x))
        ON CONFLICT (kind, subject) DO UPDATE SET revoked_at = EXCLUDED.revoked_at,
          revoked_by = EXCLUDED.revoked_by, reason = EXCLUDED.reason, version = EXCLUDED.version
        RETURNING * INTO made;
      INSERT INTO messaging.operator_audit (operator, action, target, parameters)
        VALUES (who, 'revoke', subject_kind || ':' || subject_id,
          jsonb_strip_nulls(jsonb_build_object('reason', why)));
      RETURN made;
    END $fn$;

  INSERT INTO messaging.schema_migration (name, builds_from)
    VALUES ('20250208_operator_records', '20250205_dead_letters_and_retention');
END
$migration$;
COMMIT;
