import { setTimeout as sleep } from 'node:timers/promises';
import type { History } from '../history/history.ts';
import type { PodProcess } from '../support/pod.ts';
import type { ClientProcess } from './client-process.ts';
import type { FrontProxy } from './front-proxy.ts';

/** Between two faults, on average. */
const PAUSE_MS = 2500;
/** How long a pod stays away. */
const AWAY_MS = 1500;
/** How long a process stands still at the most: longer than a pod waits for a write to get on. */
const FROZEN_MS = 20_000;
/** How long a network says nothing: long enough for every client to notice. */
const SILENT_MS = 50_000;

export type FaultCounts = Record<
  | 'kill_pod'
  | 'drain_pod'
  | 'cut_sockets'
  | 'silence_sockets'
  | 'kill_clients'
  | 'freeze_clients'
  | 'reopen_storages',
  number
>;

/** Brings about faults, one after another, at random. */
export class Nemesis {
  readonly counts: FaultCounts = {
    kill_pod: 0,
    drain_pod: 0,
    cut_sockets: 0,
    silence_sockets: 0,
    kill_clients: 0,
    freeze_clients: 0,
    reopen_storages: 0,
  };
  readonly #pods: PodProcess[];
  readonly #spawn: () => Promise<PodProcess>;
  readonly #proxy: FrontProxy;
  readonly #clients: readonly ClientProcess[];
  readonly #history: History;

  constructor(options: {
    pods: PodProcess[];
    spawn: () => Promise<PodProcess>;
    proxy: FrontProxy;
    clients: readonly ClientProcess[];
    history: History;
  }) {
    this.#pods = options.pods;
    this.#spawn = options.spawn;
    this.#proxy = options.proxy;
    this.#clients = options.clients;
    this.#history = options.history;
  }

  /** Until a moment of `performance.now`. At its end every pod and every process is back. */
  async rage(untilMs: number): Promise<void> {
    const faults = Object.keys(this.counts) as (keyof FaultCounts)[];
    // Dealt like cards, so that a short run has some of each.
    let deck: { name: keyof FaultCounts; place: number }[] = [];
    while (performance.now() < untilMs) {
      await sleep(2 * PAUSE_MS * Math.random());
      if (deck.length === 0) deck = faults.map((name) => ({ name, place: Math.random() }));
      deck.sort((a, b) => a.place - b.place);
      await this.#bring(deck.pop()!.name);
    }
  }

  async stopPods(): Promise<void> {
    await Promise.all(this.#pods.map((pod) => pod.kill('SIGTERM')));
  }

  async #bring(name: keyof FaultCounts): Promise<void> {
    this.counts[name]++;
    this.#history.append({ type: 'fault', phase: 'begin', name, pod: 'front' });
    switch (name) {
      case 'kill_pod':
        await this.#restart('SIGKILL');
        break;
      case 'drain_pod':
        await this.#restart('SIGTERM');
        break;
      case 'cut_sockets':
        this.#proxy.cut(0.2 + 0.8 * Math.random(), Math.random);
        break;
      case 'silence_sockets':
        this.#proxy.silence(0.5, Math.random);
        await sleep(SILENT_MS);
        this.#proxy.heal();
        break;
      case 'freeze_clients':
        await this.#clients[Math.floor(Math.random() * this.#clients.length)]!.freeze(
          FROZEN_MS * Math.random(),
        );
        break;
      case 'kill_clients': {
        const process = this.#clients[Math.floor(Math.random() * this.#clients.length)]!;
        await process.kill();
        await process.start();
        break;
      }
      case 'reopen_storages':
        this.#clients[Math.floor(Math.random() * this.#clients.length)]!.reopen();
    }
    this.#history.append({ type: 'fault', phase: 'end', name, pod: 'front' });
  }

  async #restart(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const index = Math.floor(Math.random() * this.#pods.length);
    const pod = this.#pods[index]!;
    this.#proxy.ports.delete(portOf(pod));
    await pod.kill(signal);
    await sleep(AWAY_MS * Math.random());
    const next = await this.#spawn();
    this.#pods[index] = next;
    this.#proxy.ports.add(portOf(next));
  }
}

export function portOf(pod: PodProcess): number {
  return Number(new URL(pod.httpUrl).port);
}
