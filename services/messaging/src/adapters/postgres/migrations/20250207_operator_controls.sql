-- What operators do to a running installation: pauses, revocations, long work, and the record of all of it.
BEGIN;
SET LOCAL client_min_messages = warning;
DO $migration$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('sanctum messaging migrations', 0));
  IF EXISTS (SELECT FROM messaging.schema_migration WHERE name = '20250207_operator_controls') THEN
    RETURN;
  END IF;

  -- Each change by an operator, written in the transaction that makes it. Parameters hold no content.
  CREATE TABLE messaging.operator_audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- a token's sub, or psql:<role>
    operator   text NOT NULL,
    action     text NOT NULL,
    target     text NOT NULL,
    parameters jsonb NOT NULL DEFAULT '{}'
  );

  -- The truth about pauses; pods look at it twice a second, and sooner when they are told to.
  CREATE TABLE messaging.control (
    stage      text PRIMARY KEY CHECK (stage IN ('dispatcher', 'consumer', 'delivery')),
    paused     boolean NOT NULL DEFAULT false,
    changed_by text,
    reason     text,
    changed_at timestamptz,
    -- it resumes by itself then
    expires_at timestamptz
  );
  INSERT INTO messaging.control (stage) VALUES ('dispatcher'), ('consumer'), ('delivery');

  -- Of a user: tokens issued before revoked_at. Of a login: all of its tokens. One row for each; `version` is
  -- given under a lock, so that a pod that knows all up to one has missed none below it.
  CREATE TABLE messaging.revocation (
    kind       text NOT NULL CHECK (kind IN ('user', 'login')),
    subject    text COLLATE "C" NOT NULL CHECK (octet_length(subject) BETWEEN 1 AND 255),
    revoked_at timestamptz NOT NULL,
    revoked_by text NOT NULL,
    reason     text,
    version    bigint NOT NULL UNIQUE,
    PRIMARY KEY (kind, subject)
  );

  -- Long work: each piece of it is committed together with its progress here.
  CREATE TABLE messaging.operator_job (
    job_id         uuid PRIMARY KEY,
    kind           text NOT NULL CHECK (kind IN ('replay', 'requeue')),
    state          text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed', 'stopped')),
    done           bigint NOT NULL DEFAULT 0,
    total          bigint NOT NULL,
    skipped        bigint NOT NULL DEFAULT 0,
    error          text,
    parameters     jsonb NOT NULL DEFAULT '{}',
    started_by     text NOT NULL,
    started_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    stop_requested boolean NOT NULL DEFAULT false,
    pod            text NOT NULL
  );
  CREATE INDEX operator_job_started ON messaging.operator_job (started_at DESC);

  -- What each pod says of itself every second; the console reads it where the bus is down. Worth nothing after a crash.
  CREATE UNLOGGED TABLE messaging.pod_figures (
    instance uuid PRIMARY KEY,
    seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    figures  jsonb NOT NULL
  ) WITH (fillfactor = 50);

  -- Pauses or resumes a stage, and records it. SELECT messaging.set_control('dispatcher', true, 'why');
  CREATE FUNCTION messaging.set_control(
      stage_name text, pause boolean, why text, operator text DEFAULT NULL, expires_in interval DEFAULT NULL)
    RETURNS messaging.control
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $fn$
    DECLARE
      who text := coalesce(operator, 'psql:' || session_user);
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

  -- Revokes a user's tokens issued until now, or a login's for good, and records it.
  -- SELECT messaging.revoke('user', 'alice', 'why');
  CREATE FUNCTION messaging.revoke(subject_kind text, subject_id text, why text DEFAULT NULL, operator text DEFAULT NULL)
    RETURNS messaging.revocation
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $fn$
    DECLARE
      who text := coalesce(operator, 'psql:' || session_user);
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

  GRANT SELECT ON messaging.control, messaging.revocation, messaging.operator_audit, messaging.operator_job,
    messaging.pod_figures TO sanctum_operator;
  REVOKE ALL ON FUNCTION messaging.set_control, messaging.revoke FROM public;
  GRANT EXECUTE ON FUNCTION messaging.set_control, messaging.revoke TO sanctum_operator;

  INSERT INTO messaging.schema_migration (name, builds_from)
    VALUES ('20250207_operator_controls', '20250205_dead_letters_and_retention');
END
$migration$;
COMMIT;
