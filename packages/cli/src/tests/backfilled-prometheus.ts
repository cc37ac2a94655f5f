import { ensurePrometheus, freePort, ServerProcess } from '@sanctum/local-servers';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const SCRAPE_S = 15;

/** One series: its name with its labels, and its value `t` seconds after the beginning. */
export type Series = readonly [name: string, valueAt: (t: number) => number];

/** A real Prometheus that has already seen what a test wants it to have seen. */
export class BackfilledPrometheus {
  readonly url: string;
  readonly #server: ServerProcess;
  readonly #dir: string;

  private constructor(url: string, server: ServerProcess, dir: string) {
    this.url = url;
    this.#server = server;
    this.#dir = dir;
  }

  static async start(
    series: readonly Series[],
    { fromMs, lengthS }: { readonly fromMs: number; readonly lengthS: number },
  ): Promise<BackfilledPrometheus> {
    const { prometheus, promtool } = await ensurePrometheus({ progress: () => undefined });
    const dir = await mkdtemp(path.join(tmpdir(), 'sanctum-prometheus-'));
    const [text, blocks, config] = ['series.txt', 'blocks', 'prometheus.yml'].map((name) =>
      path.join(dir, name),
    );
    await writeFile(text!, openMetrics(series, { fromMs, lengthS }));
    await writeFile(config!, '');
    await promisify(execFile)(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', text!, blocks!]);
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const server = new ServerProcess({
      name: 'Prometheus',
      command: {
        file: prometheus,
        args: [
          `--config.file=${config}`,
          `--storage.tsdb.path=${blocks}`,
          '--storage.tsdb.retention.time=100y',
          `--web.listen-address=127.0.0.1:${port}`,
        ],
      },
      port,
      logFile: path.join(dir, 'prometheus.log'),
      stopSignal: 'SIGTERM',
      isReady: () =>
        fetch(`${url}/-/ready`).then(
          ({ ok }) => ok,
          () => false,
        ),
    });
    await server.start();
    return new BackfilledPrometheus(url, server, dir);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

function openMetrics(
  series: readonly Series[],
  { fromMs, lengthS }: { readonly fromMs: number; readonly lengthS: number },
): string {
  const lines = series.flatMap(([name, valueAt]) =>
    Array.from({ length: lengthS / SCRAPE_S + 1 }, (_, index) => {
      const t = index * SCRAPE_S;
      return `${name} ${valueAt(t)} ${fromMs / 1000 + t}`;
    }),
  );
  return `${lines.join('\n')}\n# EOF\n`;
}
