import { cacheDir, workspaceDir } from '@sanctum/local-servers';
import { build, type Plugin } from 'esbuild';
import { mkdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const FOLDER = path.join(cacheDir, 'programs');
const programs = new Map<string, Promise<string>>();

/**
 * The present sources of a program as one file of JavaScript, beside its dependencies as they are installed. It does
 * what `node --import tsx` does, and starts on a third of the CPU, which counts where tests start many.
 * @param entry of the workspace, as `services/messaging/src/main.ts`
 * @returns the path of that file; built once by each process that asks
 */
export function programOf(entry: string): Promise<string> {
  let program = programs.get(entry);
  if (program === undefined) {
    program = bundle(entry);
    programs.set(entry, program);
  }
  return program;
}

async function bundle(entry: string): Promise<string> {
  const file = path.join(FOLDER, `${path.dirname(entry).replaceAll('/', '-')}.mjs`);
  const draft = `${file}.${process.pid}`;
  await mkdir(FOLDER, { recursive: true });
  await build({
    entryPoints: [path.join(workspaceDir, entry)],
    outfile: draft,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    // Without "module", which Node does not know.
    conditions: [],
    plugins: [dependenciesApart, filesWhereTheyAre],
    logLevel: 'error',
  });
  // Whole at once, for those who start it meanwhile.
  await rename(draft, file);
  return file;
}

/** Installed packages are loaded from where the importing file would find them. */
const dependenciesApart: Plugin = {
  name: 'dependencies-apart',
  setup(bundling) {
    bundling.onResolve({ filter: /^[^./]/ }, async ({ path: name, pluginData, ...from }) => {
      if (pluginData === 'seen' || name.startsWith('node:') || name.startsWith('@sanctum/')) return undefined;
      const found = await bundling.resolve(name, { ...from, pluginData: 'seen' });
      return found.errors.length > 0 || !path.isAbsolute(found.path)
        ? found
        : { path: pathToFileURL(found.path).href, external: true };
    });
  },
};

/** What a source reads that lies beside it is found there. */
const filesWhereTheyAre: Plugin = {
  name: 'files-where-they-are',
  setup(bundling) {
    bundling.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      const contents = source
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(file).href))
        .replaceAll('import.meta.dirname', JSON.stringify(path.dirname(file)));
      return { contents, loader: 'ts' };
    });
  },
};
