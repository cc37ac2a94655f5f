import { decodeBase64, encodeBase64 } from '@sanctum/protocol';
import {
  createApplicationMessage,
  decodeGroupState,
  decodeMlsMessage,
  emptyPskIndex,
  encodeGroupState,
  encodeMlsMessage,
  processPrivateMessage,
  type CiphersuiteImpl,
  type ClientState,
} from 'ts-mls';
import { defaultClientConfig } from 'ts-mls/clientConfig.js';
import type { Cipher, MessageContext } from '../cipher.ts';
import type { Storage, StorageTransaction } from '../storage/storage.ts';
import { canonicalBytes } from '../webcrypto/canonical.ts';

const SCHEME = 'mls10';
const STATE_PREFIX = 'mls/state/';
const OWN_PREFIX = 'mls/own/';
const OPENED_PREFIX = 'mls/opened/';

/** undefined: a commit or a proposal. */
type Plaintext = Uint8Array | undefined;

/** A group, as one device has it. */
interface Group {
  state: ClientState;
  /** By message id: what was opened, and not yet stored as taken. */
  readonly opened: Map<string, Plaintext>;
}

/**
 * MLS (RFC 9420) behind `Cipher`, to show that it fits: the group's state moves on with each message, and is stored
 * in the transaction that stores the message. ts-mls has not been audited.
 *
 * Calls overlap. Those of one group wait for each other, so that none begins from a state that another is about to
 * replace. A `store` writes the state of its own moment: that of the end of its call may be behind what another one
 * has stored meanwhile, and keys would be used a second time after a restart.
 *
 * So a state is stored that has moved past messages which nobody has taken yet. Their texts are stored with it, for
 * they will come again and could not be opened. A sender cannot open what it sealed, either: the text of an own
 * message is kept until it comes back.
 */
export function mlsCipher({
  suite,
  storage,
  userId,
}: {
  suite: CiphersuiteImpl;
  storage: Storage;
  userId: string;
}): Cipher {
  const groups = new Map<string, Group>();
  const inTurn = turns();

  const groupOf = async (conversationId: string): Promise<Group> => {
    const known = groups.get(conversationId);
    if (known !== undefined) return known;
    const bytes = await storedBytes(storage, STATE_PREFIX + conversationId);
    const state = bytes && decodeGroupState(bytes, 0)?.[0];
    if (state === undefined) throw new Error('this device is not in the group');
    const group = {
      state: { ...state, clientConfig: defaultClientConfig },
      opened: await storedTexts(storage, conversationId),
    };
    groups.set(conversationId, group);
    return group;
  };

  return {
    encrypt: async (plaintext, context) =>
      inTurn(context.conversationId, async () => {
        const { conversationId, messageId } = context;
        const group = await groupOf(conversationId);
        const made = await createApplicationMessage(group.state, plaintext, suite, bound(context));
        group.state = made.newState;
        const ciphertext = encodeMlsMessage({
          version: 'mls10',
          wireformat: 'mls_private_message',
          privateMessage: made.privateMessage,
        });
        return {
          ciphertext,
          scheme: SCHEME,
          async store(tx) {
            await tx.put(OWN_PREFIX + messageId, encodeBase64(plaintext));
            await storeMoved(tx, conversationId, group);
          },
        };
      }),

    decrypt: async ({ ciphertext, scheme }, context) =>
      inTurn(context.conversationId, async () => {
        const { conversationId, sender, messageId } = context;
        if (scheme !== SCHEME) throw new Error('the message has another scheme');
        if (sender === userId) {
          const own = await storedBytes(storage, OWN_PREFIX + messageId);
          if (own === undefined) throw new Error('another device of this user sent it');
          return { plaintext: own };
        }
        const message = decodeMlsMessage(ciphertext, 0)?.[0];
        if (message?.wireformat !== 'mls_private_message') throw new Error('this is no private message');
        const { privateMessage } = message;
        if (String(privateMessage.authenticatedData) !== String(bound(context))) {
          throw new Error('the message belongs elsewhere');
        }
        const group = await groupOf(conversationId);
        if (!group.opened.has(messageId)) {
          const opened = await processPrivateMessage(group.state, privateMessage, emptyPskIndex, suite);
          group.state = opened.newState;
          // A commit or a proposal moves the group on, and is not for the application.
          group.opened.set(messageId, opened.kind === 'applicationMessage' ? opened.message : undefined);
        }
        return {
          plaintext: group.opened.get(messageId),
          async store(tx) {
            group.opened.delete(messageId);
            await storeMoved(tx, conversationId, group);
            await tx.delete(openedKey(conversationId, messageId));
          },
        };
      }),
  };
}

/** Runs work of the same name one after another. */
function turns() {
  const last = new Map<string, Promise<unknown>>();
  return <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const done = (last.get(name) ?? Promise.resolve()).then(work);
    last.set(
      name,
      done.catch(() => undefined),
    );
    return done;
  };
}

/** The state of this moment, and the texts that it cannot give again. */
async function storeMoved(
  tx: StorageTransaction,
  conversationId: string,
  { state, opened }: Group,
): Promise<void> {
  // All at once, though a transaction may take its time: the texts belong to this very state.
  const texts = [...opened];
  await storeGroup(tx, conversationId, state);
  for (const [messageId, text] of texts) {
    await tx.put(openedKey(conversationId, messageId), text === undefined ? null : encodeBase64(text));
  }
}

async function storedTexts(storage: Storage, conversationId: string): Promise<Map<string, Plaintext>> {
  const prefix = openedKey(conversationId, '');
  const entries = await storage.entries(prefix);
  return new Map(
    entries.map(([key, text]) => [
      key.slice(prefix.length),
      text === null ? undefined : decodeBase64(text as string),
    ]),
  );
}

function openedKey(conversationId: string, messageId: string): string {
  return `${OPENED_PREFIX}${conversationId}/${messageId}`;
}

/** Puts a group's state where the cipher finds it: after creating or joining it, and after each message. */
export function storeGroup(tx: StorageTransaction, conversationId: string, state: ClientState) {
  return tx.put(STATE_PREFIX + conversationId, encodeBase64(encodeGroupState(state)));
}

async function storedBytes(storage: Storage, key: string): Promise<Uint8Array | undefined> {
  const [entry] = await storage.entries(key);
  return entry === undefined ? undefined : decodeBase64(entry[1] as string);
}

function bound({ conversationId, sender, messageId }: MessageContext): Uint8Array {
  return canonicalBytes(SCHEME, conversationId, sender, messageId);
}
