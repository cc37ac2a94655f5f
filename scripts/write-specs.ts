/**
 * Writes docs/openapi.json, docs/asyncapi.json and docs/admin-openapi.json from the schemas and routes of the service.
 * `node --import tsx scripts/write-specs.ts`; a test fails when they are out of date.
 */
import { writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { adminOpenapi } from '../services/messaging/src/adapters/http/admin/admin-openapi.ts';
import { asyncapi } from '../services/messaging/src/adapters/http/asyncapi.ts';
import { openapi } from '../services/messaging/src/adapters/http/openapi.ts';

for (const [name, spec] of Object.entries({ openapi, asyncapi, 'admin-openapi': adminOpenapi })) {
  const file = new URL(`../docs/${name}.json`, import.meta.url);
  const options = await resolveConfig(file);
  writeFileSync(file, await format(JSON.stringify(spec), { ...options, parser: 'json' }));
}
