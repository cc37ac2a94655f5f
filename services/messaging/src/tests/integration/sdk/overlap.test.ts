import { connect, memoryStorage, type WebSocketConstructor } from '@sanctum/client';
import { KeyRing, webCryptoCipher } from '@sanctum/client/webcrypto';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { eventually } from '../../support/eventually.ts';
import { expectStatus } from '../../support/http-client.ts';
import type { Pod } from '../../support/pod.ts';
import { Scene } from '../../support/scene.ts';
import { mintToken } from '../../support/tokens.ts';

/*
 * A pod is drained, and the device's two sockets overlap. What comes on each of them is held and let through by hand,
 * so that memberships change at the one moment where the new socket cannot tell the device, and the old one can.
 */

/** Holds what a socket brings. */
class Gate {
  #isOpen: boolean;
  #held: (() => void)[] = [];
  /** Resolves once something is held. */
  readonly holds: Promise<void>;
  #resolve: () => void = () => undefined;

  constructor({ isOpen }: { isOpen: boolean }) {
    this.#isOpen = isOpen;
    this.holds = new Promise((resolve) => (this.#resolve = resolve));
  }

  pass(bring: () => void): void {
    if (this.#isOpen) return bring();
    this.#held.push(bring);
    this.#resolve();
  }

  shut(): void {
    this.#isOpen = false;
  }

  lift(): void {
    this.#isOpen = true;
    for (const bring of this.#held.splice(0)) bring();
  }
}

interface Moving {
  readonly scene: Scene;
  /** The pod that stays. */
  readonly pod: Pod;
  /** `seq` of each message of this conversation that bob's device was handed, in their order. */
  readonly taken: (conversationId: string) => number[];
  readonly sockets: () => number;
  readonly gates: readonly [old: Gate, next: Gate];
  /** Bob's pod drains; resolves once his device has said hello to the other pod, before it hears an answer. */
  readonly move: (meanwhile?: () => Promise<void>) => Promise<void>;
}

async function moving(conversations: (scene: Scene, pod: Pod) => Promise<void>): Promise<Moving> {
  const scene = await Scene.begin();
  onTestFinished(() => scene.end());
  const [leaving, pod] = [await scene.pod(), await scene.pod()];
  await conversations(scene, pod);
  const gates = [new Gate({ isOpen: true }), new Gate({ isOpen: false })] as const;
  let made = 0;
  let sentOn: () => void = () => undefined;
  const goaway = new Promise<void>((resolve) => (sentOn = resolve));
  class GatedSocket extends WebSocket {
    readonly #gate: Gate;

    constructor(url: string, protocols: string[]) {
      super(made === 0 ? url : pod.wsUrl, protocols);
      this.#gate = gates[Math.min(made++, 1)]!;
      if (this.#gate !== gates[0]) return;
      this.on('message', (data: Buffer) => {
        if (data.includes('"goaway"')) sentOn();
      });
    }

    override addEventListener(...args: Parameters<WebSocket['addEventListener']>): void {
      const [type, listener] = args as [string, (event: unknown) => void];
      if (type !== 'message') return super.addEventListener(...args);
      super.addEventListener('message', (event) => this.#gate.pass(() => listener(event)));
    }
  }
  const storage = memoryStorage();
  const client = await connect({
    url: leaving.httpUrl,
    userId: 'bob',
    token: () => mintToken({ sub: 'bob' }),
    storage,
    // No key is known: what is handed on is not read here.
    cipher: webCryptoCipher({ keys: new KeyRing(), storage }),
    begin: 'start',
    WebSocket: GatedSocket as unknown as WebSocketConstructor,
  });
  onTestFinished(() => client.close());
  const taken: [string, number][] = [];
  const caughtUp = new Promise<void>((resolve) => client.on('caughtUp', resolve));
  client.on('message', ({ conversationId, seq }) => void taken.push([conversationId, seq]));
  await caughtUp;
  return {
    scene,
    pod,
    taken: (id) => taken.flatMap(([conversationId, seq]) => (conversationId === id ? [seq] : [])),
    sockets: () => made,
    gates,
    move: async (meanwhile) => {
      const stopped = leaving.stop();
      onTestFinished(() => stopped);
      await goaway;
      gates[0].shut();
      await meanwhile?.();
      await gates[1].holds;
    },
  };
}

async function setMember(scene: Scene, pod: Pod, id: string, isMember: boolean): Promise<void> {
  const alice = await scene.http(pod, 'alice');
  expectStatus(await (isMember ? alice.putMember(id, 'bob') : alice.deleteMember(id, 'bob')), 200, 201, 204);
}

test('removed before the new socket said hello, added after it: each message once, and no further connection', async () => {
  let id = '';
  const { scene, pod, gates, move, taken, sockets } = await moving(async (begun, at) => {
    id = await begun.conversation(at, ['alice', 'bob']);
    await begun.post(at, 'alice', id, 4);
  });
  await move(() => setMember(scene, pod, id, false));
  await setMember(scene, pod, id, true);
  const [back] = await scene.post(pod, 'alice', id);
  gates[0].lift();
  await eventually(() => expect(taken(id)).toEqual([1, 2, 3, 4, back]));
  gates[1].lift();
  const [last] = await scene.post(pod, 'alice', id);
  await eventually(() => expect(taken(id)).toContain(last));
  expect([taken(id), sockets()]).toEqual([[1, 2, 3, 4, back, last], 2]);
});

test('added on the old socket while the new one waits for its answer: each message once', async () => {
  let id = '';
  const { scene, pod, gates, move, taken, sockets } = await moving(async (begun, at) => {
    id = await begun.conversation(at, ['alice']);
  });
  await move();
  gates[0].lift();
  await setMember(scene, pod, id, true);
  const seqs = await scene.post(pod, 'alice', id, 3);
  await eventually(() => expect(taken(id)).toEqual(seqs));
  gates[1].lift();
  const [last] = await scene.post(pod, 'alice', id);
  await eventually(() => expect(taken(id)).toContain(last));
  expect([taken(id), sockets()]).toEqual([[...seqs, last], 2]);
});
