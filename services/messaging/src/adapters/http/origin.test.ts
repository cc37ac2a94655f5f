import { describe, expect, it } from 'vitest';
import { originAllowed } from './origin.ts';

describe('without a list', () => {
  it.each([
    [undefined, 'chat.example'],
    ['https://chat.example', 'chat.example'],
    ['https://CHAT.example', 'Chat.Example'],
    ['https://chat.example', 'chat.example:443'],
    ['http://chat.example', 'chat.example:80'],
    ['http://127.0.0.1:8083', '127.0.0.1:8083'],
    ['http://[::1]:8083', '[::1]:8083'],
  ])('%s may use %s', (origin, host) => {
    expect(originAllowed(origin, host, undefined)).toBe(true);
  });

  it.each([
    ['null', 'chat.example'],
    ['', 'chat.example'],
    ['https://evil.example', 'chat.example'],
    ['https://chat.example.evil.example', 'chat.example'],
    ['https://chat.example:8443', 'chat.example'],
    ['http://chat.example', 'chat.example:443'],
    ['https://chat.example/', 'chat.example'],
    ['https://user@chat.example', 'chat.example'],
    ['file://', 'chat.example'],
    ['file://', ''],
    ['https://chat.example', undefined],
    ['garbage', 'garbage'],
  ])('%s may not use %s', (origin, host) => {
    expect(originAllowed(origin, host, undefined)).toBe(false);
  });
});

describe('with a list', () => {
  const allowed = ['https://app.example', 'http://localhost:5173'];

  it.each([[undefined], ['https://app.example'], ['http://localhost:5173']])('%s is allowed', (origin) => {
    expect(originAllowed(origin, 'chat.example', allowed)).toBe(true);
  });

  it.each([['null'], ['http://app.example'], ['https://app.example:444'], ['https://chat.example']])(
    '%s is not',
    (origin) => {
      expect(originAllowed(origin, 'chat.example', allowed)).toBe(false);
    },
  );
});
