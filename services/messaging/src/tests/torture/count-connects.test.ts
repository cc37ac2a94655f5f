import { expect, test } from 'vitest';
import type { HistoryEvent } from '../history/history.ts';
import { countConnects } from './count-connects.ts';

test('counts the connects of a device over all the processes that it lived in', () => {
  const connect = (at: number, client: string, process: string): HistoryEvent =>
    ({ type: 'connect', at, client, process, connection: `${process}/${client}/${at}` }) as HistoryEvent;
  const events = [
    connect(0, 'phone', 'first'),
    connect(400, 'laptop', 'first'),
    connect(700, 'phone', 'first'),
    connect(999, 'phone', 'second'),
    connect(1000, 'phone', 'second'),
  ];
  expect(countConnects(events)).toEqual({ tries: 5, mostInASecond: 3 });
});
