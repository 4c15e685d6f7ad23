// What people do on the page in every scenario.

export async function signIn(page, url, secret = 'test') {
  await page.goto(url);
  await page.getByLabel('Client ID').fill('test');
  await page.getByLabel('Client secret').fill(secret);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

export async function upload(page, file) {
  await page.getByLabel('CSV files of songs').setInputFiles(file);
  await page.getByText('rows in the file').waitFor();
  await settled(page);
}

/** Text of the list's cells in one column. */
export const column = (page, number) =>
  page.locator(`.list tbody td:nth-child(${number})`).allInnerTexts();

export const settled = (page) => page.locator('.songs[aria-busy=false] .list:not(.loading)').waitFor();

/** The part of the address that says what is shown. */
export const shown = (page) => new URL(page.url()).searchParams;
