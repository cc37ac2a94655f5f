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

/**
 * MLS (RFC 9420) behind `Cipher`, to show that it fits: the group's state moves on with each message, and is stored
 * in the transaction that stores the message. ts-mls has not been audited.
 *
 * A sender cannot open what it sealed: so the text of an own message is kept until it comes back.
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
  const states = new Map<string, ClientState>();

  const stateOf = async (conversationId: string): Promise<ClientState> => {
    const known = states.get(conversationId);
    if (known !== undefined) return known;
    const bytes = await storedBytes(storage, STATE_PREFIX + conversationId);
    const state = bytes && decodeGroupState(bytes, 0)?.[0];
    if (state === undefined) throw new Error('this device is not in the group');
    return { ...state, clientConfig: defaultClientConfig };
  };
  const moveOn = (conversationId: string, state: ClientState) => {
    states.set(conversationId, state);
    return (tx: StorageTransaction) => storeGroup(tx, conversationId, state);
  };

  return {
    async encrypt(plaintext, context) {
      const { conversationId, messageId } = context;
      const made = await createApplicationMessage(
        await stateOf(conversationId),
        plaintext,
        suite,
        bound(context),
      );
      const storeState = moveOn(conversationId, made.newState);
      const ciphertext = encodeMlsMessage({
        version: 'mls10',
        wireformat: 'mls_private_message',
        privateMessage: made.privateMessage,
      });
      return {
        ciphertext,
        scheme: SCHEME,
        async store(tx) {
          await storeState(tx);
          await tx.put(OWN_PREFIX + messageId, encodeBase64(plaintext));
        },
      };
    },

    async decrypt({ ciphertext, scheme }, context) {
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
      const state = await stateOf(conversationId);
      const opened = await processPrivateMessage(state, privateMessage, emptyPskIndex, suite);
      const store = moveOn(conversationId, opened.newState);
      // A commit or a proposal moves the group on, and is not for the application.
      return { plaintext: opened.kind === 'applicationMessage' ? opened.message : undefined, store };
    },
  };
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
