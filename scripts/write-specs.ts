/**
 * Writes docs/openapi.json and docs/asyncapi.json from the schemas and routes of the service.
 * `node --import tsx scripts/write-specs.ts`; a test fails when they are out of date.
 */
import { writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { asyncapi } from '../services/messaging/src/adapters/http/asyncapi.ts';
import { openapi } from '../services/messaging/src/adapters/http/openapi.ts';

for (const [name, spec] of Object.entries({ openapi, asyncapi })) {
  const file = new URL(`../docs/${name}.json`, import.meta.url);
  const options = await resolveConfig(file);
  writeFileSync(file, await format(JSON.stringify(spec), { ...options, parser: 'json' }));
}
