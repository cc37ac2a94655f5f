import { connect, type OutgoingMessage } from '@sanctum/client';
import { indexedDbStorage } from '@sanctum/client/indexeddb';
import { parseKeyFile, webCryptoCipher } from '@sanctum/client/webcrypto';

/** A message as this device keeps it, beside its cursor. */
interface Kept {
  readonly messageId: string;
  readonly sender: string;
  readonly text: string;
}

// What stands behind # is sent to no server. It stands for however your application hands out its keys.
const {
  user = '',
  conversation = '',
  key = '',
} = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const [status, list, form, input] = ['status', 'messages', 'form', 'text'].map(
  (id) => document.getElementById(id) as HTMLElement,
) as [HTMLElement, HTMLElement, HTMLFormElement, HTMLInputElement];

try {
  await open();
} catch (error) {
  status.textContent = `This page cannot be opened: ${(error as Error).message}`;
}

async function open(): Promise<void> {
  const storage = await indexedDbStorage(user);
  const prefix = `message/${conversation}/`;
  for (const [, message] of await storage.entries(prefix)) show(message as Kept);

  const client = await connect({
    url: location.origin,
    userId: user,
    token: getToken,
    storage,
    cipher: webCryptoCipher({ keys: parseKeyFile(key), storage }),
    begin: 'start',
  });
  client.on('message', async ({ conversationId, seq, messageId, sender = '?', ...content }, tx) => {
    if (conversationId !== conversation) return;
    const text = content.readable ? content.text : 'This message cannot be read.';
    // Stored in the transaction of the cursor: after any crash each message is there once.
    await tx.put(prefix + String(seq).padStart(16, '0'), { messageId, sender, text });
    show({ messageId, sender, text });
  });
  // A message shows at once, and settles when it has its place. Some may wait since before a reload.
  for (const message of client.outbox) showOutgoing(message);
  client.on('outgoing', showOutgoing);
  client.on('status', (now) => {
    status.textContent = now.state === 'waiting' ? `offline: ${now.why}` : `${user} is ${now.state}`;
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = input.value;
    client.send(conversation, text).then(
      () => {
        // Not what was typed meanwhile.
        if (input.value === text) form.reset();
      },
      (error: Error) => {
        status.textContent = `This was not sent: ${error.message}`;
      },
    );
  });
}

function showOutgoing({ conversationId, messageId, content, state }: OutgoingMessage): void {
  if (conversationId !== conversation) return;
  const text =
    state.kind === 'refused' ? `not sent: ${state.error.message}` : new TextDecoder().decode(content);
  if (state.kind !== 'sent') show({ messageId, sender: user, text }, state.kind === 'queued');
}

/** Where it fails it is called again after a pause. What is returned is taken for a token, be it an error page. */
async function getToken(): Promise<string> {
  const response = await fetch(`/token?user=${encodeURIComponent(user)}`);
  if (!response.ok) throw new Error(`no token: status ${response.status}`);
  return response.text();
}

/** Shows a message, or shows it anew at the end. */
function show({ messageId, sender, text }: Kept, isWaiting = false): void {
  const item = document.getElementById(messageId) ?? document.createElement('li');
  item.id = messageId;
  item.className = isWaiting ? 'waiting' : '';
  item.textContent = `${sender}: ${text}`;
  list.append(item);
}
