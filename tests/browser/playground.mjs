// The playground, and the plain form that replaces it.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';
import {
  checkAccessible,
  checkTouchTargets,
  DARK,
  DESKTOP,
  drop,
  equal,
  inBrowser,
  PHONE,
  REFUSED_REQUEST,
  screenshot,
} from './browser.mjs';
import { bodyContains, focused, hold } from './steps.mjs';

async function open(page, url, secret = 'test') {
  await page.goto(`${url}/graphql`);
  await page.getByLabel('Client ID').fill('test');
  await page.getByLabel('Client secret').fill(secret);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.locator('.graphiql-query-editor .view-lines').getByText('mutation').first().waitFor();
}

const READY_TABS = ['ClassifyBatch', 'Genres', 'SongsOfGenre', 'ModelCard', 'BatchProgress'];

const run = (page) => page.locator('.graphiql-execute-button').click();

/** The editor's text; it renders only visible lines, and spaces as no-break spaces. */
const answered = (page, text) =>
  page.waitForFunction(
    (wanted) =>
      document.querySelector('.result-window')?.innerText.replace(/[\s\u00a0]+/g, ' ').includes(wanted),
    text,
  );

/** Wait until there are no error markers; workers set them some time after a change. */
const nothingMarked = (page) =>
  page.waitForFunction(([begin, still]) => {
    const marks = globalThis.__MONACO?.editor.getModelMarkers({}) ?? [{}];
    globalThis.lastMarked = marks.length > 0 ? Date.now() : Math.max(begin, globalThis.lastMarked ?? 0);
    return Date.now() - globalThis.lastMarked > still;
  }, [Date.now(), 1500]);

/** Monaco's error markers in the query and the variables. */
const marksBecome = (page, messages) =>
  page.waitForFunction((wanted) => {
    const markers = globalThis.__MONACO?.editor.getModelMarkers({}) ?? [{}];
    return JSON.stringify(markers.map(({ message }) => message)) === JSON.stringify(wanted);
  }, messages);

/** Replace the text of the variables editor. */
async function setVariables(page, text) {
  await page.evaluate((value) => {
    const models = globalThis.__MONACO.editor.getModels();
    models.find(({ uri }) => uri.path.endsWith('variables.json')).setValue(value);
  }, text);
}

/** Only real errors are marked: omitting a variable or field with a default is not one. */
export async function playgroundMarks({ url }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await open(page, url);
    await nothingMarked(page);
    await setVariables(page, '{"file": null, "options": {}}');
    await nothingMarked(page);
    await setVariables(page, '{"options": {}}');
    await marksBecome(page, ['Missing property "file".']);
    await setVariables(page, '{"file": null, "options": {"onInvalidRow": "SKIP"}}');
    await marksBecome(page, [
      'Value is not accepted. Valid values: "REJECT_FILE", "SKIP_ROW".',
    ]);
    // forced colours remove the wavy line, which is an image
    await page.emulateMedia({ forcedColors: 'active' });
    const line = await page.locator('.squiggly-error').first().evaluate((mark) =>
      getComputedStyle(mark).borderBottom);
    equal(/^3px dotted/.test(line), true, `line below an error: ${line}`);
    await page.emulateMedia({ forcedColors: 'none' });
    await page.getByRole('button', { name: 'SongsOfGenre' }).click();
    await nothingMarked(page);
    await page.getByRole('button', { name: 'BatchProgress' }).click();
    await nothingMarked(page);
  });
}

export async function playground({ url, file, rows, genre }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await open(page, url);
    // the initial tabs have no errors
    await nothingMarked(page);
    equal(await page.locator('.graphiql-tab').allInnerTexts(),
      READY_TABS, 'tabs');

    // without a file, a message says what to do
    await run(page);
    await page.getByRole('alert').getByText('Choose a file for $file').waitFor();

    await page.getByLabel('File for $file').setInputFiles(file);
    await run(page);
    await answered(page, `"rowsUploaded": ${rows}`);
    await checkAccessible(page);
    await screenshot(page, 'playground-desktop');

    // a reload restores the tab with its variables
    await page.reload();
    await page.locator('.graphiql-editor-tool').getByText('onInvalidRow').waitFor();
    equal(await page.locator('.graphiql-tab').allInnerTexts(), READY_TABS, 'tabs after a reload');

    // the other tabs
    await page.getByLabel('File for $file').waitFor();
    await page.getByRole('button', { name: 'Genres', exact: true }).click();
    await page.locator('.files').waitFor({ state: 'detached' }); // the operation takes no file
    await page.locator('.graphiql-plugin').waitFor({ state: 'hidden' }); // otherwise it would take space
    await page.waitForFunction((height) => document.documentElement.scrollHeight === height,
      DESKTOP.viewport.height);
    await run(page);
    await answered(page, '"songCount"');
    const facts = await page.locator('.response-facts').innerText();
    equal(/^Status 200 · (\d+ ms|[\d.]+ s) · \d+ kB$/.test(facts), true, `of the answer: ${facts}`);
    await page.getByRole('button', { name: 'SongsOfGenre' }).click();
    await run(page);
    await answered(page, '"totalCount"');
    await page.getByRole('button', { name: 'ModelCard' }).click();
    await run(page);
    await answered(page, '"trainingSongs"');
    await answered(page, genre);

    // a stopped operation does not add facts to the next response
    await page.getByRole('button', { name: 'Genres', exact: true }).click();
    const release = await hold(page, bodyContains('query Genres'));
    const late = page.waitForResponse((response) => bodyContains('query Genres')(response.request()));
    await run(page);
    await page.getByRole('button', { name: /^Stop/ }).click();
    await page.getByRole('button', { name: 'ModelCard' }).click();
    await run(page);
    await answered(page, '"trainingSongs"');
    const said = await page.locator('.response-facts').innerText();
    await release();
    await (await late).finished();
    equal(await page.locator('.response-facts').innerText(), said, 'facts of the answer');

    // documentation and history
    await page.getByLabel('Show Documentation Explorer').click();
    await page.locator('.graphiql-doc-explorer').getByRole('link', { name: 'Mutation' }).click();
    await page.locator('.graphiql-doc-explorer').getByText('classifyBatch').first().waitFor();
    await checkAccessible(page);
    const clipped = await page.locator('.graphiql-doc-explorer-search input').evaluate((input) => {
      const pen = document.createElement('canvas').getContext('2d');
      const { fontSize, fontFamily } = getComputedStyle(input);
      pen.font = `${fontSize} ${fontFamily}`;
      return pen.measureText(input.placeholder).width - input.clientWidth;
    });
    equal(clipped <= 0, true, `${clipped} pixels of the shortcut are clipped`);
    await page.locator('.graphiql-doc-explorer-search input').fill('song');
    await page.getByRole('option', { name: 'classifySongs', exact: true }).waitFor();
    await checkAccessible(page);
    await page.keyboard.press('Escape');
    await page.getByLabel('Show History').click();
    await page.locator('.graphiql-history').getByText('ModelCard').first().waitFor();
    await checkAccessible(page);

    const kept = await page.evaluate(() => JSON.stringify(localStorage));
    if (kept.includes('client-secret')) throw new Error('a secret outlives the tab');
  });
}

/** The upload copied as code, which runs. */
export async function playgroundPrograms({ url, file, rows, python }) {
  const permissions = ['clipboard-read', 'clipboard-write'];
  await inBrowser(url, { ...DESKTOP, permissions }, async (page) => {
    await open(page, url);
    await page.getByLabel('File for $file').setInputFiles(file);
    const env = { ...process.env, CLIENT_ID: 'test', CLIENT_SECRET: 'test' };
    const programs = {
      cURL: (text) => ['bash', ['-c', `curl() { command curl -sS "$@"; }\n${text}`]],
      fetch: (text) => ['node', ['--input-type=module', '-e', text]],
      Python: (text) => [python, ['-c', text]],
    };
    for (const [language, command] of Object.entries(programs)) {
      await page.getByLabel('Copy as a program').click();
      await page.getByRole('menuitem', { name: `Copy as ${language}` }).click();
      await page.getByRole('status').getByText(`Copied as ${language}`).waitFor();
      const text = await page.evaluate(() => navigator.clipboard.readText());
      const [name, args] = command(text);
      const { stdout } = await promisify(execFile)(name, args, { env, cwd: dirname(file) });
      equal(new RegExp(`['"]?rowsUploaded['"]?: ?${rows}`).test(stdout), true, `${language}: ${stdout}`);
    }
    await page.getByLabel('Copy as a program').click();
    await page.getByRole('menuitem').first().waitFor();
    await checkAccessible(page);
    await screenshot(page, 'playground-copy-desktop');
    await page.keyboard.press('Escape');
    await focused(page, '[aria-label="Copy as a program"]');
  });
}

/** The bytes transferred until the playground's editor appears. */
export async function playgroundWeight({ url, limit }) {
  await inBrowser(url, DESKTOP, async (page) => {
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    let bytes = 0;
    session.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength; });
    await page.goto(`${url}/graphql`);
    await page.locator('.graphiql-query-editor .view-lines').getByText('mutation').first().waitFor();
    await page.waitForLoadState('networkidle');
    if (bytes > limit) throw new Error(`the playground takes ${bytes} bytes, more than ${limit}`);
  });
}

/** A background batch, followed by the unchanged ready-made tab. */
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
    await run(page); // an empty ID means the last batch
    await answered(page, `"id": "${id.slice(0, 20)}`); // the rest wraps to another line
    await answered(page, '"status": "SUCCEEDED"');
    await answered(page, `"rowsProcessed": ${rows}`);
    await page.getByRole('button', { name: 'Execute query (Ctrl-Enter)' }).waitFor(); // the subscription has ended
    await nothingMarked(page);
    await checkAccessible(page);
    await screenshot(page, 'playground-progress-desktop');
  });
}

export async function playgroundOnAPhone({ url, file, rows }) {
  await inBrowser(url, { ...PHONE, ...DARK }, async (page) => {
    await open(page, url);
    for (const part of ['.top', '.graphiql-sidebar', '.graphiql-session-header', '.graphiql-toolbar']) {
      await checkTouchTargets(page, part);
    }
    // a tap anywhere on a tab selects it
    const tabs = page.locator('.graphiql-tab');
    for (const name of ['Genres', 'ModelCard', 'ClassifyBatch']) {
      const tab = tabs.getByRole('button', { name, exact: true });
      await tab.scrollIntoViewIfNeeded();
      const { width, height } = await tab.boundingBox();
      await tab.tap({ position: { x: width - 8, y: height / 2 } });
      await page.locator('.graphiql-tab-active').getByRole('button', { name, exact: true }).waitFor();
    }
    equal(await tabs.count(), READY_TABS.length, 'tabs after taps');
    const covered = await page.locator('.graphiql-tab-active').evaluate((tab) => {
      const text = document.createRange();
      text.selectNodeContents(tab.querySelector('.graphiql-tab-button'));
      return text.getBoundingClientRect().right - tab.querySelector('.graphiql-tab-close').getBoundingClientRect().left;
    });
    equal(covered < 0.5, true, `${covered} pixels of the tab's name are covered`);
    await drop(page, '.picker', basename(file), await readFile(file, 'utf8'));
    await run(page);
    await answered(page, `"rowsUploaded": ${rows}`);
    await page.waitForFunction(() =>
      document.querySelector('.graphiql-response').getBoundingClientRect().top < innerHeight / 2);
    await checkAccessible(page);
    await screenshot(page, 'playground-phone-answer');
    await page.evaluate(() => scrollTo(0, 0));
    await screenshot(page, 'playground-phone', { fullPage: true });
  });
}

export async function playgroundInTheDark({ url, file, rows }) {
  await inBrowser(url, { ...DESKTOP, ...DARK }, async (page) => {
    await page.goto(`${url}/graphql`);
    await page.getByText('Enter your client ID and secret above to begin.').waitFor();
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
    const above = await page.locator('.graphiql-dialog').evaluate((dialog) =>
      Number(getComputedStyle(dialog).zIndex) > 11);
    equal(above, true, 'dialog above the scroll bars of the editors');
    await page.keyboard.press('Escape');

    // the editors follow the system's theme
    await page.locator('.graphiql-query-editor .monaco-editor.vs-dark').waitFor();
    await page.emulateMedia({ colorScheme: 'light' });
    await page.locator('.graphiql-query-editor .monaco-editor.vs').waitFor();
  });
}

export async function playgroundFailures({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await open(page, url, 'wrong');
    await page.getByRole('alert').getByText('Sign-in failed.').waitFor();
    await page.getByRole('button', { name: 'Genres', exact: true }).click();
    await run(page);
    await answered(page, 'Sign-in failed.');
    await checkAccessible(page);

    // the right credentials: the schema is fetched again
    await page.getByLabel('Client secret').fill('test');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByLabel('Show Documentation Explorer').click();
    await page.locator('.graphiql-doc-explorer').getByRole('link', { name: 'Mutation' }).waitFor();

    await page.getByRole('button', { name: 'ClassifyBatch' }).click();
    await page.getByLabel('Show Files').click();
    await page.getByLabel('File for $file').setInputFiles(file);
    await run(page);
    await page.getByRole('alert').getByText('into several files').waitFor();
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
    await page.getByText('Introspection is off on this service').waitFor();
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
      await page.getByLabel('Client ID').fill('test');
      await page.getByLabel('Client secret').fill('wrong');
      await page.getByRole('button', { name: 'Run' }).click();
      await page.getByText('Sign-in failed.').waitFor();
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
