import { afterEach, expect, test, vi } from 'vitest';
import { JWT_ENV } from '../tests/ids.ts';
import { serviceSettings } from './start-service.ts';

afterEach(() => void vi.unstubAllEnvs());

test('what is started listens on this machine alone, unless the environment says otherwise', () => {
  // A key of its own: nothing is read from, or written to, the folder of development secrets.
  vi.stubEnv('JWT_SECRET', JWT_ENV.JWT_SECRET);
  vi.stubEnv('HTTP_HOST', '');
  expect(serviceSettings()).toMatchObject({ HTTP_HOST: '127.0.0.1' });
  vi.stubEnv('HTTP_HOST', '0.0.0.0');
  expect(serviceSettings()).toMatchObject({ HTTP_HOST: '0.0.0.0' });
});
