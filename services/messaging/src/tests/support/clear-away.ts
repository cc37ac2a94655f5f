import { afterAll } from 'vitest';
import { clearAway } from './servers.ts';

// Before each test file: hooks of a setup file run after those of the test file itself.
afterAll(clearAway);
