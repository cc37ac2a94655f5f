import path from 'node:path';
import type { Page } from 'playwright-core';

/** A folder that pictures are wanted in: `SANCTUM_PICTURES=docs/images pnpm test:browser`. */
const PICTURES = process.env['SANCTUM_PICTURES'];

/** What a page does wrong from now on: breaches of its content policy, exceptions, errors on its console. */
export function watchWrongs(page: Page): readonly string[] {
  const wrongs: string[] = [];
  page.on('pageerror', (error) => wrongs.push(error.message));
  page.on('console', (message) => {
    // Refused logins, and servers that are down, are what the tests are about.
    const isAnswer = /^Failed to load resource|^WebSocket connection to/.test(message.text());
    if (message.type() === 'error' && !isAnswer) wrongs.push(message.text());
  });
  return wrongs;
}

export interface PictureOptions {
  readonly dark?: boolean;
  readonly width?: number;
  readonly height?: number;
  readonly afterMs?: number;
}

/** A picture for the documentation, where somebody asked for pictures. */
export async function takePicture(page: Page, name: string, options: PictureOptions = {}): Promise<void> {
  if (PICTURES === undefined) return;
  const before = page.viewportSize();
  const { dark = false, width = 1360, height = 860, afterMs = 0 } = options;
  await page.waitForTimeout(afterMs);
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
  await page.setViewportSize({ width, height });
  await page.screenshot({ path: path.resolve(PICTURES, `${name}.png`) });
  if (before !== null) await page.setViewportSize(before);
}
