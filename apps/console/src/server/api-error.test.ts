import { expect, test } from 'vitest';
import { apiError } from './api-error.ts';

test('where the service does not say which store is away, no store is blamed alone', () => {
  const { message } = apiError(503, { code: 'unavailable', title: 'The service cannot do this now' });
  for (const store of ['Postgres', 'Redis', 'keys']) expect(message).toContain(store);
});
