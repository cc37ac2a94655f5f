/**
 * A process with some of the devices. Its orders come from the parent, by IPC; it is killed without warning.
 */
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { HistoryWriter } from '../history/history-writer.ts';
import type { History } from '../history/history.ts';
import { TorturedDevice, type DeviceSettings } from './tortured-device.ts';

export interface WorkerSettings {
  readonly name: string;
  readonly url: string;
  readonly devices: readonly DeviceSettings[];
  readonly historyFile: string;
  readonly violationsFile: string;
  /** Between two messages of a device, on average. */
  readonly sendEveryMs: number;
}

export type Order =
  | { readonly do: 'begin'; readonly settings: WorkerSettings }
  | { readonly do: 'reopen' | 'quiet' | 'progress' | 'end' };

export type Report =
  | { readonly is: 'ready' | 'ended' }
  | {
      readonly is: 'progress';
      readonly devices: {
        name: string;
        counts: [string, number][];
        waiting: number;
      }[];
    };

let devices: TorturedDevice[] = [];
let names: string[] = [];
let isQuiet = false;
let reopening = Promise.resolve();

process.on('message', (order: Order) => {
  obey(order).catch((error: unknown) => {
    process.stderr.write(`${(error as Error).stack}\n`);
    process.exit(1);
  });
});
process.on('disconnect', () => process.exit(1));

async function obey(order: Order): Promise<void> {
  switch (order.do) {
    case 'begin':
      await begin(order.settings);
      return report({ is: 'ready' });
    case 'reopen':
      reopening = reopening.then(async () => {
        for (const device of devices) if (Math.random() < 0.3) await device.reopen();
      });
      return reopening;
    case 'quiet':
      isQuiet = true;
      return;
    case 'progress':
      return report({
        is: 'progress',
        devices: devices.map((device, n) => ({
          name: names[n]!,
          ...device.progress(),
        })),
      });
    case 'end':
      await reopening;
      await Promise.all(devices.map((device) => device.close()));
      report({ is: 'ended' });
      process.disconnect();
      return;
  }
}

async function begin(settings: WorkerSettings): Promise<void> {
  const writer = new HistoryWriter(settings.historyFile, { process: settings.name });
  writer.flush();
  // A kill must not take what was seen with it.
  const history: History = {
    append: (event) => {
      writer.append(event);
      writer.flush();
    },
  };
  const tell = (text: string): void => appendFileSync(settings.violationsFile, `${settings.name} ${text}\n`);
  names = settings.devices.map(({ name }) => name);
  devices = settings.devices.map(
    (device) =>
      new TorturedDevice(
        { ...device, url: settings.url },
        { history, name: device.name, userId: device.userId, process: settings.name },
        tell,
      ),
  );
  await Promise.all(devices.map((device) => device.open()));
  for (const device of devices) void keepSending(device, settings.sendEveryMs);
}

async function keepSending(device: TorturedDevice, everyMs: number): Promise<void> {
  for (;;) {
    await sleep(2 * everyMs * Math.random());
    if (isQuiet) return;
    // Closed this moment, to be opened again.
    await device.send().catch(() => undefined);
  }
}

function report(message: Report): void {
  process.send?.(message);
}
