// What the tests need beside npm packages; fetched before they run, so that no test waits for a download.
import {
  ensureChromium,
  ensureKubectl,
  ensurePostgres,
  ensurePostgresTool,
  ensurePrometheus,
  ensureRedis,
} from '@sanctum/local-servers';

const progress = (line: string): void => void process.stderr.write(`• ${line}\n`);

await ensurePostgres({ progress });
// The oldest release that the SQL must run on.
await ensurePostgres({ progress, version: 15 });
await ensureRedis({ progress });
for (const tool of ['psql', 'pg_dump', 'pg_restore', 'pg_basebackup'] as const)
  await ensurePostgresTool(tool, { progress });
await ensurePrometheus({ progress });
await ensureChromium({ progress });
await ensureKubectl({ progress });
