import path from 'node:path';
import type { Progress } from './cache.ts';
import { hasDebianPackages, unpackDebianPackages } from './debian-packages.ts';
import { findOnPath } from './find-on-path.ts';

export interface PrometheusBinaries {
  prometheus: string;
  /** Checks and unit-tests rules. */
  promtool: string;
  /** Checks the configuration of Alertmanager, and tells which receiver an alert goes to. */
  amtool: string;
}

const NAMES = ['prometheus', 'promtool', 'amtool'] as const;

/** Prometheus and the two tools that check what it is given: the machine's own, else unpacked into `.cache/`. */
export async function ensurePrometheus(options: { progress: Progress }): Promise<PrometheusBinaries> {
  const found = NAMES.map((name) => findOnPath(name));
  if (found.every((program) => program !== undefined)) return binaries(found);
  if (!hasDebianPackages()) {
    throw new Error(
      `${NAMES.filter((_, index) => found[index] === undefined).join(', ')} not on this machine: ` +
        'install Prometheus and Alertmanager and put them on PATH (macOS: "brew install prometheus alertmanager").',
    );
  }
  const dir = await unpackDebianPackages({
    name: 'prometheus',
    progress: options.progress,
    packages: () => Promise.resolve(['prometheus', 'prometheus-alertmanager']),
  });
  return binaries(NAMES.map((name) => path.join(dir, 'usr/bin', name)));
}

function binaries([prometheus, promtool, amtool]: readonly string[]): PrometheusBinaries {
  return { prometheus: prometheus!, promtool: promtool!, amtool: amtool! };
}
