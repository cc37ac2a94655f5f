/**
 * A process with a device that gets the messages 1 to 5 behind its cursor, says what it is given, and kills itself
 * while it is given one of them, before or after that is stored. Arguments: file, seq (0: none), moment.
 */
import { connect } from '../connect.ts';
import { systemClock } from '../clock.ts';
import { fileStorage } from '../node/file-storage.ts';
import { A, message, seated } from './device.ts';
import { mirrorCipher } from './mirror-cipher.ts';
import { ScriptedNetwork } from './scripted-network.ts';

const LAST = 5;
const [file = '', killAt = '0', moment] = process.argv.slice(2);
const storage = await fileStorage(file);
const network = new ScriptedNetwork(systemClock);
network.onOpen = (socket) => {
  socket.welcome();
  const cursor = socket.sentOf('hello')[0]?.cursors?.[0]?.[1];
  if (cursor === undefined) socket.serve(seated(A, 0));
  for (let seq = (cursor ?? 0) + 1; seq <= LAST; seq++) socket.serve(message(A, seq));
};
const die = (): void => void process.kill(process.pid, 'SIGKILL');
const client = await connect({
  url: 'http://nowhere',
  userId: 'alice',
  token: 'token',
  cipher: mirrorCipher,
  storage,
  WebSocket: network.WebSocket,
});
client.on('message', async ({ seq, messageId }, tx) => {
  if (moment === 'after' && seq === Number(killAt) + 1) die();
  process.stdout.write(`${seq} ${messageId}\n`);
  await tx.put(`app/${seq}`, messageId);
  if (moment === 'before' && seq === Number(killAt)) die();
  if (seq === LAST) setTimeout(() => void client.close(), 0);
});
