import { randomUUID } from 'node:crypto';
import type { Pipeline } from '@sanctum/protocol/admin';
import { expect } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { expectStatus, HttpClient } from '../../support/http-client.ts';
import type { Pod } from '../../support/pod.ts';
import type { Scene } from '../../support/scene.ts';
import { mintToken } from '../../support/tokens.ts';

/** The admin API as an operator. */
export async function operatorOf(pod: Pod, sub = 'ops@example'): Promise<Operator> {
  return new Operator(new HttpClient(pod.adminUrl, await mintToken({ sub, scope: 'messaging:operate' })));
}

export class Operator {
  readonly http: HttpClient;

  constructor(http: HttpClient) {
    this.http = http;
  }

  async get<T>(path: string): Promise<T> {
    return expectStatus(await this.http.request<T>('GET', `/admin/v1${path}`), 200);
  }

  async send<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> {
    const answer = await this.http.request<T>(method, `/admin/v1${path}`, body === undefined ? {} : { body });
    return expectStatus(answer, 200, 201, 202);
  }

  /** A pod that has just begun may be unknown to the others for a moment. */
  async untilSeen(pods: number): Promise<void> {
    await eventually(async () => {
      expect((await this.get<Pipeline>('/pipeline')).pods).toHaveLength(pods);
    });
  }

  close(): void {
    this.http.close();
  }
}

/** A pod called `mute` that lives and says nothing; its instance. */
export async function addMutePod(scene: Scene): Promise<string> {
  const instance = randomUUID();
  await scene.sql(
    `INSERT INTO messaging.pod_figures (instance, seen_at, figures)
     SELECT $1::uuid, now() + INTERVAL '1 hour', figures || jsonb_build_object('instance', $1::text, 'name', 'mute')
     FROM messaging.pod_figures LIMIT 1`,
    [instance],
  );
  return instance;
}
