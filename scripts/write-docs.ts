/**
 * Makes the generated parts of the documents anew: tables of settings, metrics, codes and bounds.
 * `node --import tsx scripts/write-docs.ts`; with `--check` it changes nothing and exits 1 where one is out of date.
 */
import { writeDocuments } from './docs/regions.ts';

const check = process.argv.includes('--check');
const stale = await writeDocuments({ check });
for (const name of stale) process.stdout.write(`${check ? 'out of date' : 'written'}: ${name}\n`);
if (check && stale.length > 0) process.exitCode = 1;
