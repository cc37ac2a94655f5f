import type { Channel } from '../../ports.ts';

/**
 * `Channel` ↔ Redis channel: `sanctum:<installation id>:c:<conversation>`. Pub/Sub knows no database numbers, so
 * the installation's id keeps two installations on one Redis apart. No braces: in a cluster the channels'
 * slots must spread over conversations, not gather where the installation's id falls.
 */
export class ChannelNames {
  readonly #prefix: string;

  constructor(installationId: string) {
    this.#prefix = `sanctum:${installationId}:`;
  }

  toRedis(channel: Channel): string {
    return this.#prefix + channel;
  }

  /** Only for names that `toRedis` gave: nothing else is subscribed. */
  fromRedis(name: Buffer): Channel {
    return name.toString('utf8', this.#prefix.length) as Channel;
  }
}
