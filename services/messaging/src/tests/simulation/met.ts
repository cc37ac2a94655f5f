import type { HistoryEvent } from '../history/history.ts';
import { FAULT_NAMES } from './scenario-faults.ts';

/**
 * What the seeds must meet between them: a simulation in which something never happens shows nothing about it. Gaps
 * that are our own fault, and cursors ahead of a log that nobody set back, are no part of a run that goes as it should.
 */
export const TO_BE_MET: readonly string[] = [
  ...FAULT_NAMES.map((name) => `fault ${name}`),
  'gap dead_letter',
  'gap not_member',
  'gap retention',
  'member added',
  'member removed',
  'reset epoch',
  'replay',
  'dead letter handed on late',
  'two sockets of one device',
  'poison row',
  'breaker row',
];

/** What a history has of it. */
export function metIn(events: readonly HistoryEvent[]): Set<string> {
  const met = new Set<string>();
  const clients = new Map<string, string>();
  const ready = new Map<string, number>();
  const count = (client: string, change: number) => {
    const sockets = (ready.get(client) ?? 0) + change;
    ready.set(client, sockets);
    if (sockets > 1) met.add('two sockets of one device');
  };
  const isReady = new Set<string>();
  for (const event of events) {
    switch (event.type) {
      case 'fault':
        met.add(`fault ${event.name}`);
        break;
      case 'gap':
        met.add(`gap ${event.reason}`);
        break;
      case 'member':
        met.add(`member ${event.change}`);
        break;
      case 'reset':
        met.add(`reset ${event.reason}`);
        break;
      case 'message':
        if (event.replay !== undefined) met.add('replay');
        if (event.effect === 'deliver_late') met.add('dead letter handed on late');
        break;
      case 'connect':
        clients.set(event.connection, event.client);
        break;
      case 'ready':
        isReady.add(event.connection);
        count(clients.get(event.connection)!, 1);
        break;
      case 'close':
        if (isReady.delete(event.connection)) count(clients.get(event.connection)!, -1);
        break;
      default:
    }
  }
  return met;
}
