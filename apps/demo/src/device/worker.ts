/**
 * A device, in a worker of its own: to kill it is to end the worker in the middle of whatever it does, and what it
 * knows then is what it had stored.
 */
import { Device } from './device.ts';
import type { Command, Report } from './device-messages.ts';

/** The page hears of the first report at once, and of those that follow so often: drawing takes longer than telling. */
const TELL_EVERY_MS = 200;

let device: Promise<Device> | undefined;
let gathered: Report[] = [];
let toldAt = -Infinity;

function report(one: Report): void {
  if (gathered.push(one) > 1) return;
  setTimeout(
    () => {
      postMessage(gathered);
      gathered = [];
      toldAt = performance.now();
    },
    toldAt + TELL_EVERY_MS - performance.now(),
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function obey(command: Command): Promise<void> {
  if (command.kind === 'start') {
    device = Device.open(command.options, report);
    await device.catch((error: unknown) => {
      report({ kind: 'status', status: 'stopped' });
      // As by a second tab, which would take what is this one's.
      throw new Error(`The device cannot be opened: ${reasonOf(error)}.`, { cause: error });
    });
    return;
  }
  if (command.kind === 'ask') {
    const { id, question } = command;
    // Also where the device could not be opened: somebody waits for the answer.
    const error = await device?.then((opened) => opened.ask(question)).then(() => undefined, reasonOf);
    return report({ kind: 'answer', id, error });
  }
  const opened = await device;
  switch (command.kind) {
    case 'network':
      return opened?.setOnline(command.online);
    case 'send':
      return opened?.send(command.conversationId, command.texts);
    case 'read':
      return opened?.read(command.conversationId, command.seq);
    case 'learn':
      return opened?.learn(command.key);
  }
}

addEventListener('message', ({ data }: MessageEvent<Command>) => {
  obey(data).catch((error: unknown) => report({ kind: 'trouble', text: reasonOf(error) }));
});
