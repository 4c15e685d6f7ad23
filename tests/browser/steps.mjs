// Steps of several scenarios.

export async function signIn(page, url, secret = 'test') {
  await page.goto(url);
  await enterCredentials(page, 'test', secret);
}

export async function enterCredentials(page, id, secret) {
  await page.getByLabel('Client ID').fill(id);
  await page.getByLabel('Client secret').fill(secret);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

export async function upload(page, file) {
  await page.getByLabel('CSV files of songs').setInputFiles(file);
  await page.getByText('rows in the file').waitFor();
  await settled(page);
}

/** The texts of a column of the list. */
export async function column(page, number) {
  const texts = await page.locator(`.list tbody td:nth-child(${number})`).allInnerTexts();
  return texts.map((text) => text.trim());
}

export const settled = (page) => page.locator('.songs[aria-busy=false] .list:not(.loading)').waitFor();

/** The query string of the URL; `page.url()` may be outdated. */
export const shown = async (page) => new URLSearchParams(await page.evaluate(() => location.search));

/** Wait until an element has the focus, which it may get after it appears. */
export const focused = (page, selector) =>
  page.waitForFunction((wanted) => document.activeElement?.matches(wanted), selector);

/** Whether a request's body contains a text. */
export const bodyContains = (text) => (request) => request.postData()?.includes(text) ?? false;

/** Delay matching requests until the returned function is called. */
export async function hold(page, matches) {
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  const handler = async (route) => {
    if (!matches(route.request())) return route.fallback();
    await released;
    return route.continue().catch(() => {}); // the page may have aborted the request
  };
  await page.route('**/graphql', handler);
  return async () => {
    release();
    await page.unroute('**/graphql', handler);
  };
}
