import type { PodFigures } from '../../operations/pod-figures.ts';
import { readPodFigures } from '../../operations/read-pod-figures.ts';
import type { PostgresPool } from './pool.ts';

const WRITE = {
  name: 'write-pod-figures',
  text: `INSERT INTO messaging.pod_figures AS p (instance, figures) VALUES ($1, $2)
         ON CONFLICT (instance) DO UPDATE SET seen_at = clock_timestamp(), figures = EXCLUDED.figures`,
};
/** Few rows: one for each pod of the last hour. */
const READ = {
  name: 'read-pod-figures',
  text: `SELECT figures, extract(epoch FROM clock_timestamp() - seen_at)::float8 * 1000 AS age_ms
         FROM messaging.pod_figures WHERE seen_at > clock_timestamp() - INTERVAL '1 hour' LIMIT 1000`,
};
const FORGET = {
  name: 'forget-pod-figures',
  text: 'DELETE FROM messaging.pod_figures WHERE instance = $1',
};

/** messaging.pod_figures: what pods say of themselves, where the bus is down, or for whoever is not on it. */
export class PodTable {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  async write(figures: PodFigures): Promise<void> {
    await this.#pool.query(WRITE, [figures.instance, JSON.stringify(figures)]);
  }

  async read(): Promise<{ figures: PodFigures; ageMs: number }[]> {
    const rows = await this.#pool.query<{ figures: unknown; age_ms: number }>(READ);
    return rows.flatMap((row) => {
      const figures = readPodFigures(row.figures);
      return figures !== undefined ? [{ figures, ageMs: Math.max(0, row.age_ms) }] : [];
    });
  }

  /** This pod ends. Whoever ends without a word goes with the pruning. */
  async forget(instance: string): Promise<void> {
    await this.#pool.query(FORGET, [instance]);
  }
}
