import type { BusSubscriber } from '../../ports.ts';
import type { Clock } from '../../clock.ts';
import { replaced } from '../support/fault-points.ts';
import type { SimulatedBug } from './bug.ts';
import { only, slowPathOff } from './circumstances.ts';

/** Long enough for the head to be read meanwhile, and for messages to come. */
const SUBSCRIBED_LATE_MS = 1000;

/** Of the consumer and the bus. */
export const FAN_OUT_BUGS: readonly SimulatedBug[] = [
  {
    name: 'ack-before-publish',
    what: 'a consumer acknowledges entries before they are broadcast',
    where: 'simulation',
    caughtBy: 'acknowledged_early',
    apply: (world) =>
      world.bends.push({
        streamReader: (reader) =>
          replaced(reader, {
            async readNew(signal) {
              const entries = await reader.readNew(signal);
              if (entries.length > 0) await reader.acknowledge(entries);
              return entries;
            },
          }),
      }),
  },
  {
    name: 'changed-on-the-bus',
    what: 'a buffer is used again while its message is on the way',
    where: 'simulation',
    caughtBy: 'changed_bytes',
    apply: (world) =>
      world.bends.push({
        publisher: (publisher) => ({
          publish: (messages) => {
            for (const { bytes } of messages) {
              const at = bytes.indexOf('"ciphertext":"');
              if (at > 0) bytes.write('////', at + 14);
            }
            return publisher.publish(messages);
          },
        }),
      }),
  },
  {
    name: 'subscribed-after-head',
    what: "a conversation's channel is subscribed after its head was read",
    where: 'simulation',
    caughtBy: 'loss',
    consequences: ['unsettled'],
    circumstances: slowPathOff,
    apply: (world) => world.bends.push({ bus: subscribedLate }),
  },
  {
    name: 'swallowed-replay',
    what: 'de-duplication by seq swallows what an operator has sent again',
    where: 'simulation',
    caughtBy: 'replay_lost',
    circumstances: {
      adapt: (scenario) => ({
        ...only()(scenario),
        calmSteps: [{ kind: 'operate', atMs: 0, what: 'replay', conversation: 0, from: 0, span: 100 }],
      }),
    },
    apply: (world) =>
      world.bends.push({
        stages: (stages) => {
          const { feeds } = stages.hub;
          const arrive = feeds.arrive.bind(feeds);
          feeds.arrive = (conversationId, frame) => {
            if (frame.seq > (feeds.get(conversationId)?.tip ?? 0)) arrive(conversationId, frame);
          };
          return stages;
        },
      }),
  },
];

function subscribedLate(bus: BusSubscriber, clock: Clock): BusSubscriber {
  return replaced(bus, {
    async subscribe(channels) {
      const late = channels.filter((channel) => channel.startsWith('c:'));
      clock.setTimer(SUBSCRIBED_LATE_MS, () => void bus.subscribe(late).catch(() => {}));
      await bus.subscribe(channels.filter((channel) => !late.includes(channel)));
    },
  });
}
