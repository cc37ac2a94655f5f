import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type PodOptions, type PodProcess, spawnPod } from '../support/pod.ts';

const PROBE = fileURLToPath(new URL('./pod-probe.ts', import.meta.url));
const ANSWER_MS = 5000;

/** What a pod says of itself: pod-probe.ts. */
export interface PodFigures {
  readonly rssBytes: number;
  /** Used heap, and the buffers outside it. */
  readonly heapBytes: number;
  /** Sockets, servers, pipes … */
  readonly resources: number;
  readonly timers: number;
}

/** A pod that can be asked for its figures. It is in a process group of its own: `Ctrl-C` ends the soak, not the pod. */
export function spawnSoakPod(options: PodOptions): Promise<PodProcess> {
  return spawnPod({ ...options, probe: PROBE });
}

/** @param collect after a full collection of garbage */
export async function figuresOf(pod: PodProcess, options: { collect: boolean }): Promise<PodFigures> {
  const answer = once(pod.process, 'message', { signal: AbortSignal.timeout(ANSWER_MS) });
  pod.process.send({ collect: options.collect });
  const [figures] = (await answer) as [PodFigures];
  return figures;
}

/** Open file descriptors. */
export async function descriptorsOf(pod: PodProcess): Promise<number> {
  return (await readdir(`/proc/${pod.pid}/fd`)).length;
}
