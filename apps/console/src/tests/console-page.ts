import {
  type Browser,
  type BrowserContext,
  launchBrowser,
  type Page,
  type PictureOptions,
  type Route,
  takePicture,
  watchWrongs,
} from '@sanctum/local-servers/browser';
import type { Pod } from '@sanctum/messaging/tests/support/pod';
import { mintToken } from '@sanctum/messaging/tests/support/tokens';

const OPERATOR = { sub: 'ola@ops', scope: 'messaging:operate' };

/** A console in a real browser, as an operator has it, and what the page did wrong meanwhile. */
export class ConsolePage {
  readonly page: Page;
  /** Breaches of the content policy, exceptions, errors on the browser's console. */
  readonly wrongs: readonly string[];
  /** Of every request that the page made. */
  readonly addresses: string[] = [];
  readonly #browser: Browser;
  readonly #context: BrowserContext;

  private constructor(browser: Browser, context: BrowserContext, page: Page) {
    this.#browser = browser;
    this.#context = context;
    this.page = page;
    page.setDefaultTimeout(15_000);
    this.wrongs = watchWrongs(page);
    page.on('request', (request) => this.addresses.push(request.url()));
  }

  /** At the address, not logged in. */
  static async visit(address: string): Promise<ConsolePage> {
    const browser = await launchBrowser();
    const context = await browser.newContext({ viewport: { width: 1360, height: 860 } });
    const page = new ConsolePage(browser, context, await context.newPage());
    await page.page.goto(address);
    return page;
  }

  /** Logged in by the link that `npm start` prints. */
  static async open(pod: Pod): Promise<ConsolePage> {
    const console = await ConsolePage.visit(`${pod.adminUrl}/#token=${await mintToken(OPERATOR)}`);
    await console.page.getByText('Logged in as ola@ops').waitFor();
    return console;
  }

  async view(name: string, title: string): Promise<void> {
    await this.page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name }).click();
    await this.page.getByRole('heading', { level: 1, name: title }).waitFor();
  }

  /** Waits until a stage has this state. */
  async untilStage(stage: string, health: string, timeoutMs: number): Promise<void> {
    const card = this.page.locator(`[data-stage=${stage}][data-health=${health}]`);
    await card.waitFor({ timeout: timeoutMs });
  }

  /** The stages that are drawn in this state. */
  stagesThatAre(health: string): Promise<(string | null)[]> {
    return this.page
      .locator(`[data-stage][data-health=${health}]`)
      .evaluateAll((cards) => cards.map((card) => card.getAttribute('data-stage')));
  }

  /** Lets the page wait for the next answer of this kind: whoever awaits `asked` gives it. */
  async holdNext(method: string, address: RegExp): Promise<{ readonly asked: Promise<Route> }> {
    let caught: ((route: Route) => void) | undefined;
    const asked = new Promise<Route>((resolve) => (caught = resolve));
    // It stays in place afterwards: a browser whose last one is taken away lets go of what was held.
    await this.page.route(address, (route) => {
      if (caught === undefined || route.request().method() !== method) return route.fallback();
      caught(route);
      caught = undefined;
    });
    return { asked };
  }

  /** A picture for the documentation, where somebody asked for pictures. */
  picture(name: string, options: PictureOptions = {}): Promise<void> {
    return takePicture(this.page, `console-${name}`, options);
  }

  async close(): Promise<void> {
    await this.#context.close();
    await this.#browser.close();
  }
}
