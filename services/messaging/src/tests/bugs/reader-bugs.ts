import type { LogPage, ReaderLog } from '../../ports.ts';
import type { Step } from '../simulation/scenario.ts';
import type { SimWorld } from '../simulation/sim-world.ts';
import { replaced } from '../support/fault-points.ts';
import type { SimulatedBug } from './bug.ts';
import { only, removedUnheard, withSteps } from './circumstances.ts';

const ROWS_BEHIND_MS = 1000;
const ACTIVE_MS = 1500;
const FLOOR_LATE_MS = 1000;

/** Of what the hub reads, and when. */
export const READER_BUGS: readonly SimulatedBug[] = [
  {
    name: 'head-after-rows',
    what: 'the head of a page is read after its rows',
    where: 'simulation',
    caughtBy: 'gap_cause',
    apply: (world) =>
      world.bends.push({
        reader: (reader) =>
          replaced(reader, {
            async readPages(requests) {
              const pages = await reader.readPages(requests);
              return pages.map((page) => page && withoutLatest(page, world.clock.now() - ROWS_BEHIND_MS));
            },
          }),
      }),
  },
  {
    name: 'active-heads-only',
    what: 'only heads of conversations with something going on are compared with the log',
    where: 'simulation',
    caughtBy: 'loss',
    consequences: ['unsettled'],
    circumstances: { adapt: only({ faults: ['bus_lossy'] }) },
    apply: onlyActiveHeads,
  },
  {
    name: 'no-member-check',
    what: 'a feed delivers without a look at who may still read',
    where: 'simulation',
    caughtBy: 'after_removal',
    circumstances: removedUnheard,
    apply: (world) =>
      world.bends.push({
        stages: (stages) => {
          stages.hub.verifyMembers = (feed) => {
            for (const position of feed.positions) {
              position.verified = Number.MAX_SAFE_INTEGER;
              position.session.due(position);
            }
          };
          return stages;
        },
      }),
  },
  {
    name: 'stale-readers',
    what: 'a feed looks at who may read in a snapshot from before the removal',
    where: 'simulation',
    caughtBy: 'after_removal',
    circumstances: removedUnheard,
    apply: (world) => world.bends.push({ reader: withStaleMembers }),
  },
  {
    name: 'epoch-ignored',
    what: 'the log’s epoch is not looked at: after a restore places name other messages',
    where: 'simulation',
    caughtBy: 'two_at_one_place',
    consequences: ['loss', 'unsettled', 'reset_cause', 'silent_gap', 'seen_before_commit', 'accepted_seq'],
    circumstances: { adapt: only({ faults: ['restore'] }) },
    apply: (world) => world.bends.push({ reader: inFirstEpoch }),
  },
  {
    name: 'floor-after-drop',
    what: 'what has expired is dropped first, and the floor raised after',
    where: 'simulation',
    caughtBy: 'gap_cause',
    circumstances: {
      adapt: withSteps(only(), ({ durationMs, conversations, clients }) =>
        conversations.flatMap((_, conversation): Step[] => {
          const atMs = durationMs * 0.7;
          const prune = { kind: 'operate', atMs, what: 'prune', conversation, from: 0.5, span: 1 } as const;
          const seats = clients.map((_client, client): Step => {
            return { kind: 'reseat', atMs: atMs + FLOOR_LATE_MS / 2, client, conversation, back: 'start' };
          });
          return [prune, ...seats];
        }),
      ),
    },
    apply: floorAfterDrop,
  },
];

/** Its rows as they were when `until` was now. */
function withoutLatest(page: LogPage, until: number): LogPage {
  const from = page.rows.findIndex((row) => row.state === 'ready' && row.message.occurredAt > until);
  return from < 0 ? page : { ...page, rows: page.rows.slice(0, from) };
}

function onlyActiveHeads(world: SimWorld): void {
  world.bends.push({
    stages: (stages, clock) => {
      const { feeds } = stages.hub;
      const heardAt = new Map<string, number>();
      const arrive = feeds.arrive.bind(feeds);
      feeds.arrive = (conversationId, frame) => {
        heardAt.set(conversationId, clock.monotonic());
        arrive(conversationId, frame);
      };
      feeds.takeTurn = () => [];
      feeds.recent = () => {
        const since = clock.monotonic() - ACTIVE_MS;
        const isActive = (id: string) => (heardAt.get(id) ?? -Infinity) >= since;
        return [...feeds.all()].filter(({ conversationId }) => isActive(conversationId)).values();
      };
      return stages;
    },
  });
}

function withStaleMembers(reader: ReaderLog): ReaderLog {
  return replaced(reader, {
    async readMembers(requests) {
      const answers = await reader.readMembers(requests);
      return answers.map((answer) => {
        if (answer === undefined) return undefined;
        const before = [...answer.members].map(([userId, member]) => {
          const { leftSeq, changedVersion } = member;
          const isPresent = leftSeq === undefined;
          return [
            userId,
            isPresent ? member : { ...member, leftSeq: undefined, changedVersion: changedVersion - 1 },
          ] as const;
        });
        return { ...answer, members: new Map(before) };
      });
    },
  });
}

function inFirstEpoch(reader: ReaderLog): ReaderLog {
  const epoch = 1;
  return replaced(reader, {
    readEpoch: () => Promise.resolve(epoch),
    readHeads: async (ids) => ({ ...(await reader.readHeads(ids)), epoch }),
    readUsers: async (...asked) => ({ ...(await reader.readUsers(...asked)), epoch }),
    readPages: async (requests) => {
      const pages = await reader.readPages(requests);
      return pages.map((page) => page && { ...page, epoch });
    },
  });
}

function floorAfterDrop({ log, clock }: SimWorld): void {
  const expire = log.expireUpTo.bind(log);
  log.expireUpTo = (conversationId, to) => {
    for (let seq = 1; seq <= to; seq++) {
      if (log.row(conversationId, seq)?.status !== 'dead') log.loseRow(conversationId, seq);
    }
    clock.setTimer(FLOOR_LATE_MS, () => expire(conversationId, to));
  };
}
