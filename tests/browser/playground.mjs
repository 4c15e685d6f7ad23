// The playground, and the plain form that takes its place.
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import {
  checkAccessible,
  DARK,
  DESKTOP,
  drop,
  equal,
  inBrowser,
  PHONE,
  REFUSED_REQUEST,
  screenshot,
} from './browser.mjs';

async function open(page, url, secret = 'test') {
  await page.goto(`${url}/graphql`);
  await page.getByLabel('Client id').fill('test');
  await page.getByLabel('Client secret').fill(secret);
  await page.getByRole('button', { name: 'Use', exact: true }).click();
  await page.locator('.graphiql-query-editor .view-lines').getByText('mutation').first().waitFor();
}

const READY_TABS = ['ClassifyBatch', 'Genres', 'SongsOfGenre', 'ModelCard', 'BatchProgress'];

const run = (page) => page.locator('.graphiql-execute-button').click();

/** The editor shows only the lines in view, and writes spaces its own way. */
const answered = (page, text) =>
  page.waitForFunction(
    (wanted) =>
      document.querySelector('.result-window')?.innerText.replace(/[\s\u00a0]+/g, ' ').includes(wanted),
    text,
  );

export async function playground({ url, file, rows, genre }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await open(page, url);
    // nothing to complain of in what a newcomer finds
    await page.waitForTimeout(1500);
    equal(await page.locator('.squiggly-error').count(), 0, 'errors marked in the first tab');
    equal(await page.locator('.graphiql-tab').allInnerTexts(),
      READY_TABS, 'tabs');

    // without a file it says what to do
    await run(page);
    await page.getByRole('alert').getByText('Choose a file for $file').waitFor();

    await page.getByLabel('File for $file').setInputFiles(file);
    await run(page);
    await answered(page, `"rowsUploaded": ${rows}`);
    await checkAccessible(page);
    await screenshot(page, 'playground-desktop');

    // another visit finds the tab as it was, its variables too
    await page.reload();
    await page.locator('.graphiql-editor-tool').getByText('onInvalidRow').waitFor();
    equal(await page.locator('.graphiql-tab').allInnerTexts(), READY_TABS, 'tabs after a reload');

    // the other jobs
    await page.getByRole('button', { name: 'Genres', exact: true }).click();
    await run(page);
    await answered(page, '"songCount"');
    await page.getByRole('button', { name: 'SongsOfGenre' }).click();
    await run(page);
    await answered(page, '"totalCount"');
    await page.getByRole('button', { name: 'ModelCard' }).click();
    await run(page);
    await answered(page, '"trainingSongs"');
    await answered(page, genre);

    // documentation and history
    await page.getByLabel('Show Documentation Explorer').click();
    await page.locator('.graphiql-doc-explorer').getByRole('link', { name: 'Mutation' }).waitFor();
    await page.getByLabel('Show History').click();
    await page.locator('.graphiql-history').getByText('ModelCard').first().waitFor();
    await checkAccessible(page);

    const kept = await page.evaluate(() => JSON.stringify(localStorage));
    if (kept.includes('client-secret')) throw new Error('a secret outlives the tab');
  });
}

/** A batch classified in the background, its id taken from the answer to the tab that follows it. */
export async function playgroundFollows({ url, file, rows }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await open(page, url);
    await page.getByLabel('File for $file').setInputFiles(file);
    const replied = page.waitForResponse((response) =>
      response.request().headers()['content-type']?.startsWith('multipart/'));
    await run(page);
    const { id, status } = (await (await replied).json()).data.classifyBatch;
    equal(status, 'QUEUED', 'status at first');
    await answered(page, '"status": "QUEUED"');

    await page.getByRole('button', { name: 'BatchProgress' }).click();
    await page.locator('.graphiql-query-editor .view-lines').getByText('subscription').first().waitFor();
    await page.locator('.graphiql-editor-tool .view-line').getByText('"id"').click();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowLeft'); // between the quotes
    await page.keyboard.insertText(id);
    await run(page);
    await answered(page, '"status": "SUCCEEDED"');
    await answered(page, `"rowsProcessed": ${rows}`);
    await page.getByRole('button', { name: 'Execute query (Ctrl-Enter)' }).waitFor(); // it has ended
    equal(await page.locator('.squiggly-error').count(), 0, 'errors marked in the tab');
    await checkAccessible(page);
    await screenshot(page, 'playground-progress-desktop');
  });
}

export async function playgroundOnAPhone({ url, file, rows }) {
  await inBrowser(url, { ...PHONE, ...DARK }, async (page) => {
    await open(page, url);
    await drop(page, '.picker', basename(file), await readFile(file, 'utf8'));
    await run(page);
    await answered(page, `"rowsUploaded": ${rows}`);
    await checkAccessible(page);
    await page.evaluate(() => scrollTo(0, 0));
    await screenshot(page, 'playground-phone', { fullPage: true });
  });
}

export async function playgroundInTheDark({ url, file, rows }) {
  await inBrowser(url, { ...DESKTOP, ...DARK }, async (page) => {
    await page.goto(`${url}/graphql`);
    await page.getByText('Enter your client id and secret above to begin.').waitFor();
    await page.locator('.graphiql-query-editor .view-lines').getByText('mutation').first().waitFor();
    await checkAccessible(page);
    await open(page, url);
    await run(page);
    await page.getByRole('alert').getByText('Choose a file for $file').waitFor();
    await checkAccessible(page);
    await page.getByLabel('File for $file').setInputFiles(file);
    await run(page);
    await answered(page, `"rowsUploaded": ${rows}`);
    await page.getByLabel('Show Documentation Explorer').click();
    await page.locator('.graphiql-doc-explorer').getByRole('link', { name: 'Mutation' }).click();
    await page.locator('.graphiql-doc-explorer').getByText('classifyBatch').first().waitFor();
    await checkAccessible(page);
    await screenshot(page, 'playground-dark-desktop');
    await page.getByLabel('Open settings dialog').click();
    await page.getByRole('dialog').waitFor();
    await checkAccessible(page);
    await screenshot(page, 'playground-dark-settings');
  });
}

export async function playgroundFailures({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await open(page, url, 'wrong');
    await page.getByRole('alert').getByText('Not let in.').waitFor();
    await page.getByRole('button', { name: 'Genres', exact: true }).click();
    await run(page);
    await answered(page, 'Not let in.');
    await checkAccessible(page);

    // the right ones: the schema is read again
    await page.getByLabel('Client secret').fill('test');
    await page.getByRole('button', { name: 'Use', exact: true }).click();
    await page.getByLabel('Show Documentation Explorer').click();
    await page.locator('.graphiql-doc-explorer').getByRole('link', { name: 'Mutation' }).waitFor();

    await page.getByRole('button', { name: 'ClassifyBatch' }).click();
    await page.getByLabel('Show Files').click();
    await page.getByLabel('File for $file').setInputFiles(file);
    await run(page);
    await page.getByRole('alert').getByText('in several files').waitFor();
    await checkAccessible(page);

    await page.getByRole('button', { name: 'Genres', exact: true }).click();
    await page.route('**/graphql', (route) => route.abort());
    await run(page);
    await page.getByRole('alert').getByText('The service cannot be reached.').waitFor();
  }, { allowed: REFUSED_REQUEST });
}

export async function withoutIntrospection({ url, genre }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await open(page, url);
    await page.getByText('keeps its schema to itself').waitFor();
    await page.getByRole('button', { name: 'ModelCard' }).click();
    await run(page);
    await answered(page, genre);
  });
}

export async function plainForm({ url, file, rows }) {
  for (const path of ['/', '/graphql']) {
    await inBrowser(url, DESKTOP, async (page) => {
      await page.goto(`${url}${path}`);
      await page.getByText('make frontend').waitFor();
      await page.getByLabel('Client id').fill('test');
      await page.getByLabel('Client secret').fill('wrong');
      await page.getByRole('button', { name: 'Run' }).click();
      await page.getByText('Not let in.').waitFor();
      await page.getByLabel('Client secret').fill('test');
      await page.getByLabel('CSV file').setInputFiles(file);
      await page.getByRole('button', { name: 'Upload' }).click();
      await page.getByText(`"rowsUploaded": ${rows}`).waitFor();
      await page.getByRole('button', { name: 'Run' }).click();
      await page.getByText('"genres": [').waitFor();
      await checkAccessible(page);
      await screenshot(page, 'plain-desktop');
    }, { allowed: REFUSED_REQUEST });
  }
}
