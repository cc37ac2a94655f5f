import { ensurePrometheus, freePort, ServerProcess } from '@sanctum/local-servers';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { ruleFiles } from './rule-files.ts';

/** Prometheus itself over running pods, with our rules: what a dashboard would get, by its HTTP interface. */
export interface LivePrometheus {
  /** The samples that an expression has now, NaN left out. */
  query(expr: string): Promise<readonly { labels: Readonly<Record<string, string>>; value: number }[]>;
  /** The series of an expression over time, as [seconds, value]. */
  queryRange(
    expr: string,
    range: { start: number; end: number; step: number },
  ): Promise<readonly { labels: Readonly<Record<string, string>>; points: readonly [number, number][] }[]>;
  /** Every rule with what its last evaluation came to: `ok`, `err` or `unknown`. */
  rules(): Promise<readonly { name: string; health: string; state?: string }[]>;
  stop(): Promise<void>;
}

interface Answer<T> {
  readonly status: string;
  readonly error?: string;
  readonly data: T;
}

/** Starts it in a folder of the caller's. Targets are `host:port`. */
export async function startPrometheus(options: {
  dir: string;
  targets: readonly string[];
  scrapeMs: number;
}): Promise<LivePrometheus> {
  const { prometheus } = await ensurePrometheus({ progress: () => undefined });
  const { dir, targets, scrapeMs } = options;
  await mkdir(dir, { recursive: true });
  const config = path.join(dir, 'prometheus.yml');
  const every = `${scrapeMs}ms`;
  await writeFile(
    config,
    stringify({
      global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: every },
      rule_files: ruleFiles(),
      scrape_configs: [{ job_name: 'messaging', static_configs: [{ targets }] }],
    }),
  );
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = new ServerProcess({
    name: 'Prometheus',
    command: {
      file: prometheus,
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${path.join(dir, 'data')}`,
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

  async function ask<T>(what: string, parameters: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`${url}/api/v1/${what}?${new URLSearchParams(parameters).toString()}`);
    const answer = (await response.json()) as Answer<T>;
    if (answer.status !== 'success')
      throw new Error(`${what} ${JSON.stringify(parameters)}: ${answer.error}`);
    return answer.data;
  }

  return {
    async query(expr) {
      const { result } = await ask<{
        result: { metric: Record<string, string>; value: [number, string] }[];
      }>('query', { query: expr });
      return result
        .map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
        .filter(({ value }) => !Number.isNaN(value));
    },
    async queryRange(expr, { start, end, step }) {
      const { result } = await ask<{
        result: { metric: Record<string, string>; values: [number, string][] }[];
      }>('query_range', { query: expr, start: String(start), end: String(end), step: String(step) });
      return result.map(({ metric, values }) => ({
        labels: metric,
        points: values.map(([at, value]): [number, number] => [at, Number(value)]),
      }));
    },
    async rules() {
      const { groups } = await ask<{
        groups: { rules: { name: string; health: string; state?: string }[] }[];
      }>('rules');
      return groups.flatMap((group) => group.rules);
    },
    stop: () => server.stop(),
  };
}
