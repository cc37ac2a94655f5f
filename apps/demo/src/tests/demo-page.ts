import {
  type Browser,
  type Locator,
  type Page,
  type PictureOptions,
  takePicture,
  watchWrongs,
} from '@sanctum/local-servers/browser';

const SHOWN_WITHIN_MS = 30_000;

/** The demo in a browser of its own, and what it did wrong meanwhile. */
export class DemoPage {
  readonly page: Page;
  readonly wrongs: readonly string[];

  private constructor(page: Page) {
    this.page = page;
    this.wrongs = watchWrongs(page);
    page.setDefaultTimeout(SHOWN_WITHIN_MS);
  }

  static async open(browser: Browser, address: string): Promise<DemoPage> {
    const context = await browser.newContext({ viewport: { width: 1360, height: 860 } });
    const demo = new DemoPage(await context.newPage());
    await demo.page.addInitScript(addUpLayoutShifts);
    await demo.page.goto(address);
    return demo;
  }

  person(name: string): PersonLocator {
    return new PersonLocator(this.page.getByRole('region', { name, exact: true }));
  }

  /** Layout shifts so far that nobody has asked for, as browsers count them. */
  layoutShift(): Promise<number> {
    return this.page.evaluate(() => (globalThis as unknown as { shifted: number }).shifted);
  }

  /** What the page keeps of its room. */
  kept(): Promise<string> {
    return this.page.evaluate(() => localStorage.getItem('sanctum-demo') ?? '');
  }

  picture(name: string, options: PictureOptions = {}): Promise<void> {
    return takePicture(this.page, `demo-${name}`, options);
  }
}

/** A person's pane. */
export class PersonLocator {
  readonly pane: Locator;

  constructor(pane: Locator) {
    this.pane = pane;
  }

  async until(status: string): Promise<void> {
    await this.pane.getByRole('status').getByText(status, { exact: true }).waitFor();
  }

  async press(button: string): Promise<void> {
    await this.pane.getByRole('button', { name: button, exact: true }).click();
  }

  async write(text: string): Promise<void> {
    const input = this.pane.getByRole('textbox');
    await input.fill(text);
    await input.press('Enter');
  }

  async sees(text: string): Promise<void> {
    await this.pane.getByText(text, { exact: true }).waitFor();
  }

  /** Every text of the open conversation, in its order, the earliest too. */
  async texts(): Promise<string[]> {
    const earlier = this.pane.getByRole('button', { name: /^Show earlier/ });
    while ((await earlier.count()) > 0) await earlier.click();
    return this.pane.locator('.message .text').allTextContents();
  }
}

/** Runs in the page. */
function addUpLayoutShifts(): void {
  const page = globalThis as unknown as { shifted: number };
  page.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as (PerformanceEntry & {
      value: number;
      hadRecentInput: boolean;
    })[]) {
      if (!entry.hadRecentInput) page.shifted += entry.value;
    }
  }).observe({ type: 'layout-shift', buffered: true });
}
