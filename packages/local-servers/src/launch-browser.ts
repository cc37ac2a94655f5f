import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type Browser } from 'playwright-core';
import { ensureChromium } from './chromium.ts';

export type { Browser, BrowserContext, Locator, Page, Route } from 'playwright-core';
export { type PictureOptions, takePicture, watchWrongs } from './watch-page.ts';

const ARGS = ['--disable-gpu', '--disable-background-networking'];

/**
 * A real Chromium without a window, for tests of pages. Its home is a folder of its own, gone when it is
 * closed: whoever runs the tests needs none that can be written to, and nothing is left behind.
 */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = await ensureChromium({ progress: () => undefined });
  const home = await mkdtemp(path.join(tmpdir(), 'sanctum-browser-'));
  const removeHome = (): Promise<void> => rm(home, { recursive: true, force: true });
  try {
    const browser = await chromium.launch({
      executablePath,
      args: ARGS,
      // Its sandbox refuses root and most containers; the pages are our own.
      chromiumSandbox: false,
      env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
    });
    browser.once('disconnected', () => void removeHome());
    return browser;
  } catch (error) {
    await removeHome();
    throw error;
  }
}
