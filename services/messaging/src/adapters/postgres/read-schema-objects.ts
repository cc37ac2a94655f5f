import { createHash } from 'node:crypto';
import type { PostgresPool } from './pool.ts';

/**
 * What the schema consists of, in the words of the server, which are the same in all releases. The days' partitions
 * come and go. NOT NULL stands with its column: only newer releases have a constraint of it.
 */
const OBJECTS = {
  name: 'schema-objects',
  text: `WITH tables AS (
           SELECT c.oid, c.relname, c.relkind, c.relpersistence
           FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
           WHERE c.relnamespace = 'messaging'::regnamespace AND c.relkind IN ('r', 'p')
             AND (i.inhparent IS DISTINCT FROM to_regclass('messaging.message_outbox_days')
                  OR pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT'))
         SELECT 'table ' || t.relname AS object, format('%s %s %s', t.relkind, t.relpersistence,
           (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                     a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)), ', ' ORDER BY a.attname)
            FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped)) AS definition
         FROM tables t
         UNION ALL
         SELECT format('constraint %s of %s', k.conname, t.relname), pg_get_constraintdef(k.oid)
         FROM pg_constraint k JOIN tables t ON t.oid = k.conrelid WHERE k.contype <> 'n'
         UNION ALL
         SELECT 'index ' || c.relname, format('%s %s', pg_get_indexdef(c.oid), i.indisvalid)
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN tables t ON t.oid = i.indrelid
         UNION ALL
         SELECT format('trigger %s of %s', g.tgname, t.relname), format('%s %s', pg_get_triggerdef(g.oid), g.tgenabled)
         FROM pg_trigger g JOIN tables t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal
         UNION ALL
         SELECT 'function ' || p.proname,
           string_agg(pg_get_functiondef(p.oid), ';' ORDER BY pg_get_function_identity_arguments(p.oid))
         FROM pg_proc p WHERE p.pronamespace = 'messaging'::regnamespace GROUP BY p.proname`,
};
/** Each of these changes the words. */
const BEGIN = `BEGIN READ ONLY; SET LOCAL search_path = pg_catalog; SET LOCAL intervalstyle = postgres;
  SET LOCAL quote_all_identifiers = off`;

/** Every table, constraint, index, trigger and function of the schema, with a fingerprint of its definition. */
export function readSchemaObjects(pool: PostgresPool): Promise<Record<string, string>> {
  return pool.session((session) =>
    session.transaction(BEGIN, async () => {
      const rows = await session.query<{ object: string; definition: string }>(OBJECTS);
      await session.command('COMMIT');
      const named = rows.map(({ object, definition }) => [object, fingerprint(definition)] as const);
      return Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
    }),
  );
}

function fingerprint(definition: string): string {
  return createHash('sha256').update(definition.replaceAll('\r\n', '\n')).digest('hex').slice(0, 16);
}
