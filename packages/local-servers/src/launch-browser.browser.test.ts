import { expect, test } from 'vitest';
import { launchBrowser } from './launch-browser.ts';

test('a page runs, with fonts to show its text', async () => {
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.setContent('<p><span id="wide">WWWW</span> <span id="narrow">iiii</span></p>');
    const width = (id: string): Promise<number> =>
      page.locator(id).evaluate((element) => element.getBoundingClientRect().width);
    // Without a font each character is the same empty box.
    expect(await width('#wide')).toBeGreaterThan(2 * (await width('#narrow')));
  } finally {
    await browser.close();
  }
});
