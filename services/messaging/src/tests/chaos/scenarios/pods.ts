import { lasting, proven, type Scenario } from '../scenario.ts';

const FLAGS = {
  full: 'dispatcher and consumer',
  dispatcher: 'the dispatcher alone',
  consumer: 'the consumer alone',
  plain: 'neither flag',
} as const;
const FLAG_SETS = Object.entries(FLAGS);
/** Longer than any timeout of those around it: claims (5 s), calls of the log (5 s), transactions (10 s). */
const FROZEN_MS = 12_000;

const killed = FLAG_SETS.map(([name, flags]): Scenario => ({
  name: `kill-pod-${name}`,
  about: `kill -9 of a pod with ${flags}`,
  fault: async (world) => {
    const pod = world.pod(name);
    const { pid } = pod.process;
    await pod.process.kill('SIGKILL');
    const { signalCode } = pod.process.process;
    return {
      proof: [proven(`process ${pid} ended by ${signalCode}`, signalCode === 'SIGKILL' && !pod.isAlive)],
      afterwards: () => pod.start(),
    };
  },
}));

const frozen = FLAG_SETS.map(([name, flags]): Scenario => ({
  name: `freeze-pod-${name}`,
  about: `SIGSTOP for ${FROZEN_MS / 1000} s of a pod with ${flags}`,
  fault: async (world) => {
    const pod = world.pod(name);
    pod.process.process.kill('SIGSTOP');
    await lasting(FROZEN_MS);
    const proof = [
      proven('the process was stopped', pod.state === 'T'),
      proven('its health page did not answer', !(await pod.answers())),
    ];
    pod.process.process.kill('SIGCONT');
    return { proof };
  },
}));

export const POD_SCENARIOS: readonly Scenario[] = [...killed, ...frozen];
