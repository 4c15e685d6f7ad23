// What people do on the page in every scenario.

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

/** Text of the list's cells in one column. */
export async function column(page, number) {
  const texts = await page.locator(`.list tbody td:nth-child(${number})`).allInnerTexts();
  return texts.map((text) => text.trim());
}

export const settled = (page) => page.locator('.songs[aria-busy=false] .list:not(.loading)').waitFor();

/** The part of the address that says what is shown; `page.url()` may lag behind. */
export const shown = async (page) => new URLSearchParams(await page.evaluate(() => location.search));

/** Wait until what `selector` names has the focus, which it gets some time after it shows. */
export const focused = (page, selector) =>
  page.waitForFunction((wanted) => document.activeElement?.matches(wanted), selector);

/** Whether a request's text has `text`. */
export const asks = (text) => (request) => request.postData()?.includes(text) ?? false;

/** Hold back what `matches` until the function returned is called. */
export async function hold(page, matches) {
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  const handler = async (route) => {
    if (!matches(route.request())) return route.fallback();
    await released;
    return route.continue().catch(() => {}); // the page may have stopped the request
  };
  await page.route('**/graphql', handler);
  return async () => {
    release();
    await page.unroute('**/graphql', handler);
  };
}
