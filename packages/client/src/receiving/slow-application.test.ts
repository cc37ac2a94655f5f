import { expect, test } from 'vitest';
import { A, device, message, seated } from '../tests/device.ts';
import { settle } from '../tests/manual-clock.ts';

test('an application that takes a message every 20 s is not silent for a minute', async () => {
  const { client, network, clock } = await device({ listens: false });
  const messages = client.messages();
  await settle();
  const socket = network.last;
  socket.welcome({ heartbeat_ms: 3_000_000 });
  socket.serve(seated(A, 0));
  let sent = 0;
  const acknowledged = (): number => socket.sentOf('ack').at(-1)?.delivered ?? 0;
  /** As the server does: as much as there is credit. */
  const flood = (): void => {
    while (sent < acknowledged() + 256) socket.serve(message(A, ++sent));
  };
  for (let ticks = 0; ticks < 20; ticks++) {
    flood();
    await clock.advance(250);
  }
  // Full: 1,024 wait for the application, and the credit is used up.
  expect([sent, acknowledged()]).toEqual([1024 + 256, 1024]);
  for (let taken = 1; taken <= 10; taken++) {
    expect((await messages.next()).value).toMatchObject({ seq: taken });
    await clock.advance(20_000);
    flood();
    // The one at hand is not taken yet.
    expect([sent, acknowledged()]).toEqual([1024 + 256 + taken - 1, 1024 + taken - 1]);
  }
  expect(socket.isClosed).toBe(false);
  await client.close();
});

test('acks of an application that catches up are not one for each message', async () => {
  const { client, network, clock, taken } = await device({ listens: false });
  let goOn: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (goOn = resolve));
  client.on('message', async ({ seq }) => {
    await gate;
    taken.push(String(seq));
  });
  await settle();
  network.last.welcome({ credit: 1024 });
  network.last.serve(seated(A, 0));
  for (let seq = 1; seq <= 2000; seq++) network.last.serve(message(A, seq));
  await clock.advance(1000);
  goOn();
  for (let turn = 0; turn < 20; turn++) await clock.advance(250);
  expect(taken).toHaveLength(2000);
  expect(network.last.sentOf('ack').at(-1)).toMatchObject({ delivered: 2000 });
  expect(network.last.sentOf('ack').length).toBeLessThan(12);
  await client.close();
});
