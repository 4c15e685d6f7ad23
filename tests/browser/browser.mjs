// Helpers of all scenarios: a browser that records errors, axe, and screenshots.
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const pages = createRequire(new URL('../../app/playground/package.json', import.meta.url));
const { chromium } = pages('playwright-core');
const axe = await readFile(pages.resolve('axe-core/axe.min.js'), 'utf8');

const SCREENSHOTS = new URL('../../build/screenshots/', import.meta.url);

export const DESKTOP = { viewport: { width: 1360, height: 900 } };
export const PHONE = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};
export const DARK = { colorScheme: 'dark' };

/** The console also reports rejected requests, which some scenarios expect. */
export const REFUSED_REQUEST = /Failed to load resource/;

/**
 * Run a scenario in a new browser profile. Fail if the page sends a request to another host, or logs an
 * unexpected error.
 */
export async function inBrowser(url, options, scenario, { allowed = null } = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    // The sandbox does not work as root, and containers have a small /dev/shm.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'],
  });
  try {
    const context = await browser.newContext({
      locale: 'en-GB',
      reducedMotion: 'reduce', // a screenshot of a growing bar would show none
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    const external = [];
    const errors = [];
    context.on('request', (request) => {
      const { origin, protocol } = new URL(request.url());
      if (origin !== new URL(url).origin && !['data:', 'blob:'].includes(protocol)) {
        external.push(request.url());
      }
    });
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(`uncaught: ${error.message}`));
    await scenario(page).catch(async (error) => {
      await screenshot(page, 'failure').catch(() => {});
      throw error;
    });
    const unexpected = errors.filter((error) => !allowed?.test(error));
    if (external.length > 0) throw new Error(`requests to other hosts: ${external.join(', ')}`);
    if (unexpected.length > 0) throw new Error(`console errors: ${unexpected.join('\n')}`);
  } finally {
    await browser.close();
  }
}

/** Fail if axe finds anything serious, or the page is wider than the screen. */
export async function checkAccessible(page) {
  await page.waitForFunction(() => !document.querySelector('[aria-busy=true]')); // busy content is faded
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  if (serious.length > 0) {
    const violations = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    throw new Error(`axe-core finds:\n${violations.join('\n')}`);
  }
  const excess = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
  if (excess > 0) throw new Error(`the page is ${excess} pixels wider than the screen`);
}

/** Fail if a touch target is less than 44 pixels high or wide. */
export async function checkTouchTargets(page, within = 'html') {
  const small = await page.evaluate((selector) => {
    const root = document.querySelector('dialog[open]') ?? document.querySelector(selector);
    const controls = [...root.querySelectorAll('button, a, select, input, summary')];
    return controls
      .filter((control) => control.checkVisibility() && !control.matches('.unseen'))
      .map((control) => [control, (control.closest('label') ?? control).getBoundingClientRect()])
      .filter(([, { width, height }]) => Math.min(width, height) < 43.5)
      .map(([{ outerHTML }, { width, height }]) => `${width} × ${height}: ${outerHTML.slice(0, 120)}`);
  }, within);
  if (small.length > 0) throw new Error(`too small for a thumb:\n${small.join('\n')}`);
}

export async function screenshot(page, name, { fullPage = false } = {}) {
  await mkdir(SCREENSHOTS, { recursive: true });
  await page.waitForTimeout(300); // for fonts and focus rings
  await page.screenshot({ path: new URL(`${name}.png`, SCREENSHOTS).pathname, fullPage });
}

/** Drop a file on an element, as a user would. */
export async function drop(page, selector, name, content) {
  const transfer = await page.evaluateHandle(
    ([fileName, text]) => {
      const data = new DataTransfer();
      data.items.add(new File([text], fileName, { type: 'text/csv' }));
      return data;
    },
    [name, content],
  );
  await page.dispatchEvent(selector, 'dragover', { dataTransfer: transfer });
  await page.dispatchEvent(selector, 'drop', { dataTransfer: transfer });
}

export function equal(found, expected, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: ${a}, expected ${b}`);
}
