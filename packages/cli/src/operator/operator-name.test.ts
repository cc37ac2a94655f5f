import { userInfo } from 'node:os';
import { expect, test } from 'vitest';
import { operatorName } from './operator-name.ts';

test('the user of this machine, by name', () => {
  expect(operatorName(() => ({ username: 'ola' }))).toBe('cli:ola');
});

test('by number where it has no name', () => {
  const nameless = () => {
    throw Object.assign(new Error('uv_os_get_passwd returned ENOENT'), { code: 'ERR_SYSTEM_ERROR' });
  };
  expect(operatorName(nameless)).toBe(`cli:uid-${userInfo().uid}`);
});
