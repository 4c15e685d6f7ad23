// Replies that arrive late, out of order, or after the user has moved on.
import { readFile } from 'node:fs/promises';
import { DESKTOP, drop, equal, inBrowser, REFUSED_REQUEST } from './browser.mjs';
import { bodyContains, enterCredentials, focused, hold, settled, shown, signIn, upload } from './steps.mjs';

const isUpload = (request) => request.headers()['content-type']?.startsWith('multipart/') ?? false;

const filesButton = (page) => page.getByRole('button', { name: 'Files', exact: true });
const songsButton = (page) => page.getByRole('button', { name: 'Songs', exact: true });
const row = (page, name) =>
  page.getByRole('listitem').filter({ has: page.getByRole('heading', { name, exact: true }) });

/** The user continues while the service responds slowly. */
export async function slowReplies({ url, file, bad_file: badFile }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    const batch = (await shown(page)).get('file');

    // a loading file is not shown as a file without songs
    const choice = page.getByLabel('Songs of');
    await choice.focus();
    await choice.selectOption('');
    await page.getByText('rows in the file').waitFor({ state: 'detached' });
    await settled(page);
    let release = await hold(page, bodyContains('query Batch('));
    await choice.selectOption(batch);
    await page.locator('.songs[aria-busy=true] .skeleton').waitFor();
    equal(await page.getByText('No songs match.').count(), 0, 'said too early');
    await release();
    await settled(page);
    // the chosen button keeps the focus
    await focused(page, 'select[aria-label="Songs of"]');

    // a search in one file does not continue in the next
    await page.clock.install();
    await page.clock.pauseAt(Date.now() + 1000);
    await page.getByLabel('Search titles').fill('love');
    await choice.selectOption('');
    await page.clock.runFor(1000);
    equal((await shown(page)).get('search'), null, 'search of another file');
    await page.clock.resume();
    await settled(page);

    // a song is not shown under another song's title
    await page.locator('.list .link').first().click();
    await page.getByRole('dialog').getByRole('rowheader').first().waitFor();
    release = await hold(page, bodyContains('query Song('));
    await page.keyboard.press('ArrowRight');
    await page.getByRole('dialog').getByText(/^2 of/).waitFor();
    await page.locator('dialog .song[aria-busy=true]').waitFor();
    await release();
    await page.locator('dialog .song[aria-busy=false]').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });

    // the message about saving refers to the saved list
    const saved = page.locator('.songs .download [role=status]');
    await page.getByRole('button', { name: 'Download CSV' }).click();
    await saved.getByText(/^\d+ songs saved$/).waitFor();
    await page.getByRole('button', { name: /^metal \d+ songs/ }).click();
    await page.getByRole('heading', { name: 'metal' }).waitFor();
    equal(await saved.innerText(), '', 'note of another list');

    // a rejected file does not take the focus while the user types
    release = await hold(page, isUpload);
    await page.getByLabel('CSV files of songs').setInputFiles(badFile);
    await page.getByLabel('Search titles').focus();
    await release();
    await page.getByText('bad.csv was refused. Nothing was stored.').waitFor();
    await focused(page, 'input[type=search]');
    await page.getByRole('button', { name: 'Dismiss' }).click();

    // the end of an upload does not change the view
    release = await hold(page, isUpload);
    await page.getByLabel('CSV files of songs').setInputFiles(file);
    await filesButton(page).click();
    await release();
    await page.getByText(/^songs\.csv: \d+ songs classified\.$/).waitFor();
    equal((await shown(page)).get('view'), 'files', 'view after the upload');
  });
}

/** Only the reply to the last search is shown. */
export async function searchedQuickly({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    // with this many songs, the service does the searching
    await page.route('**/graphql', async (route) => {
      if (!bodyContains('query Overview')(route.request())) return route.fallback();
      const response = await route.fetch();
      const reply = await response.json();
      if (reply.data.genres.length > 0) reply.data.genres[0].songCount = 10_000;
      return route.fulfill({ response, json: reply });
    });
    await signIn(page, url);
    await upload(page, file);
    await page.getByLabel('Songs of').selectOption('');
    await settled(page);
    const release = await hold(page, bodyContains('"titleContains":"lov"'));
    const search = page.getByLabel('Search titles');
    await search.fill('lov');
    await page.waitForFunction(() => new URL(location.href).searchParams.get('search') === 'lov');
    await search.fill('bridge');
    await page.locator('.list td:first-child').getByText(/bridge/i).first().waitFor();
    await settled(page);
    await release();
    await settled(page);
    const titles = await page.locator('.list td:first-child').allInnerTexts();
    equal(titles.filter((title) => !/bridge/i.test(title)), [], 'titles without the last search');
  });
}

/** Another client signs in while files of the first are being sent. */
export async function anotherClient({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    const senders = [];
    page.on('request', (request) => isUpload(request) && senders.push(request.headers()['client-id']));
    const switchTo = async (id) => {
      await page.getByRole('button', { name: /^Client/ }).click();
      await enterCredentials(page, id, id);
      await page.getByRole('button', { name: `Client ${id}` }).waitFor();
    };
    await signIn(page, url);
    await upload(page, file);
    const csv = await readFile(file, 'utf8');
    const releaseUpload = await hold(page, isUpload);
    await drop(page, 'body', 'second.csv', csv);
    await drop(page, 'body', 'third.csv', csv);
    // closing the page asks for confirmation
    const question = page.waitForEvent('dialog');
    await page.close({ runBeforeUnload: true });
    equal((await question).type(), 'beforeunload', 'question');
    await (await question).dismiss();
    await filesButton(page).click();
    await row(page, 'songs.csv').waitFor();

    // no data of the first client is shown while the second one's list loads
    const releaseOverview = await hold(page, bodyContains('query Overview'));
    await switchTo('other');
    await row(page, 'songs.csv').waitFor({ state: 'detached' });
    await releaseOverview();
    await page.getByText('No files yet.').waitFor();

    // the files are sent as their own client, and do not change the other client's view
    await releaseUpload();
    for (const name of ['second.csv', 'third.csv']) {
      await page.getByText(`${name} was uploaded as test.`).waitFor();
    }
    equal(senders, ['test', 'test', 'test'], 'senders of the files');
    equal(Object.fromEntries(await shown(page)), { view: 'files' }, 'address');
    await page.getByText('No files yet.').waitFor();
    await switchTo('test');
    await row(page, 'third.csv').waitFor();
    await page.getByText(/uploaded as/).waitFor({ state: 'detached' });

    // signing out clears the queue
    await hold(page, isUpload);
    await drop(page, 'body', 'fourth.csv', csv);
    await page.locator('.activity').getByText('fourth.csv').waitFor();
    await page.getByRole('button', { name: /^Client/ }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await enterCredentials(page, 'test', 'test');
    await row(page, 'third.csv').waitFor();
    equal(await page.locator('.activity').count(), 0, 'uploads after signing out');
  });
}

/** Changes made in another tab or by a colleague appear without a click. */
export async function changedElsewhere({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    let requests = 0;
    page.on('request', (request) => { if (bodyContains('query Changes')(request)) requests += 1; });
    await signIn(page, `${url}/?view=files`);
    await page.getByText('No files yet.').waitFor();
    const other = await page.context().newPage();
    await signIn(other, url);
    await upload(other, file);
    await row(page, 'songs.csv').getByText('Classified', { exact: true }).waitFor();

    // a focused button keeps the focus
    await page.getByRole('button', { name: 'Delete songs.csv' }).focus();
    await drop(other, 'body', 'again.csv', await readFile(file, 'utf8'));
    await row(page, 'again.csv').waitFor();
    await row(page, 'songs.csv').getByText('414 of its songs were classified again later').waitFor();
    await focused(page, '[aria-label="Delete songs.csv"]');

    // nothing changes under an open dialog; when a file disappears, the focus stays in the list
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await filesButton(other).click();
    await other.getByRole('button', { name: 'Delete songs.csv' }).click();
    await other.getByRole('dialog').getByRole('button', { name: 'Delete the file' }).click();
    await other.getByText('Deleted songs.csv.').waitFor();
    const before = requests;
    await page.waitForTimeout(6000);
    equal(requests, before, 'requests under an open dialog');
    await page.keyboard.press('Escape');
    await row(page, 'songs.csv').waitFor({ state: 'detached' });
    await focused(page, '#files-title');

    // the counts of genres change, too
    await songsButton(page).click();
    await page.getByRole('button', { name: 'All genres 414 songs' }).waitFor();
    await other.getByRole('button', { name: 'Delete again.csv' }).click();
    await other.getByRole('button', { name: 'Delete the file and its 414 songs' }).click();
    await other.getByText('Deleted again.csv and 414 songs.').waitFor();
    await page.locator('.steps').waitFor();

    // a hidden tab sends no requests, and is up to date once it is visible
    const hide = (hidden) => page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    await hide(true);
    await songsButton(other).click();
    await upload(other, file);
    const seen = requests;
    await page.waitForTimeout(6000);
    equal(requests, seen, 'requests of a hidden tab');
    await hide(false);
    await page.getByRole('button', { name: 'All genres 414 songs' }).waitFor();
  });
}

/** Files that are deleted while they are shown, here or in another tab. */
export async function removedMeanwhile({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByRole('button', { name: 'Try the sample songs' }).click();
    await page.getByText('rows in the file').waitFor();
    const release = await hold(page, bodyContains('mutation DeleteBatch'));
    await page.getByRole('button', { name: 'Remove the sample songs' }).click();
    await filesButton(page).click();
    await row(page, 'sample-songs.csv').waitFor();
    await release();
    await page.getByText('Removed 414 sample songs.').waitFor();
    await page.getByText('No files yet.').waitFor();
    equal((await shown(page)).get('view'), 'files', 'view after the removal');

    // a file deleted in another tab, before this one notices, disappears here, too
    const releaseChanges = await hold(page, bodyContains('query Changes'));
    await songsButton(page).click();
    await upload(page, file);
    await filesButton(page).click();
    await row(page, 'songs.csv').waitFor();
    const other = await page.context().newPage();
    await signIn(other, `${url}/?view=files`);
    await other.getByRole('button', { name: 'Delete songs.csv' }).click();
    await other.getByRole('button', { name: 'Delete the file, keep its songs' }).click();
    await other.getByText('Deleted songs.csv.').waitFor();
    await page.getByRole('button', { name: 'Delete songs.csv' }).click();
    await page.getByRole('button', { name: 'Delete the file, keep its songs' }).click();
    await page.getByRole('dialog').getByRole('alert').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('No files yet.').waitFor();

    // a failure is shown even if its dialog was closed
    await songsButton(page).click();
    await page.getByRole('button', { name: 'Show all songs' }).click();
    await upload(page, file);
    await filesButton(page).click();
    const releaseDeletion = await hold(page, bodyContains('mutation DeleteBatch'));
    await page.getByRole('button', { name: 'Delete songs.csv' }).click();
    await page.getByRole('button', { name: 'Delete the file, keep its songs' }).click();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await other.reload();
    await other.getByRole('button', { name: 'Delete songs.csv' }).click();
    await other.getByRole('button', { name: 'Delete the file, keep its songs' }).click();
    await other.getByText('Deleted songs.csv.').waitFor();
    await releaseDeletion();
    await page.locator('.toast.is-bad').waitFor();
    await page.getByText('No files yet.').waitFor();
    await releaseChanges();

    // a failed refresh keeps the content
    await songsButton(page).click();
    await page.getByRole('button', { name: 'Show all songs' }).click();
    await settled(page);
    await page.route('**/graphql', (route) =>
      bodyContains('query Overview')(route.request()) ? route.abort() : route.fallback());
    await page.getByLabel('CSV files of songs').setInputFiles(file);
    await page.getByText('rows in the file').waitFor();
    await page.getByRole('alert').getByText('The service cannot be reached.').waitFor();
    await settled(page);
    await page.unroute('**/graphql');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('The service cannot be reached.').waitFor({ state: 'detached' });
    await settled(page);
  }, { allowed: REFUSED_REQUEST });
}
