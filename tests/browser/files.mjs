// Uploads and the Files view.
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
import { column, focused, settled, shown, signIn, upload } from './steps.mjs';

/** The Files view: open a file, download it in three formats, delete it. */
export async function filesView({ url, file, rows, classified }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    // the same songs in another file, to which they now belong
    await drop(page, 'body', 'again.csv', await readFile(file, 'utf8'));
    await page.getByRole('option', { name: /^again\.csv/ }).waitFor({ state: 'attached' });
    await settled(page);
    await page.getByRole('button', { name: 'Files', exact: true }).click();
    const row = (name) => page.getByRole('listitem').filter({ has: page.getByRole('heading', { name }) });
    await row('again.csv').getByText(`${classified} songs from ${rows} rows`).waitFor();
    await row('songs.csv').getByText(`${classified} of its songs were classified again later`).waitFor();

    for (const [label, extension] of [['CSV', 'csv'], ['JSON Lines', 'jsonl'], ['Parquet', 'parquet']]) {
      const download = page.waitForEvent('download');
      await row('songs.csv').getByRole('button', { name: label, exact: true }).click();
      const saved = await download;
      equal(saved.suggestedFilename(), `songs-genres.${extension}`, 'name of the download');
      const bytes = await readFile(await saved.path());
      if (extension === 'parquet') equal(bytes.subarray(0, 4).toString(), 'PAR1', 'Parquet');
      else equal(bytes.toString().trim().split('\n').length, classified + (extension === 'csv' ? 1 : 0), label);
    }
    await screenshot(page, 'page-files-desktop');
    await checkAccessible(page);

    // the first file still shows its results, and each song its current batch
    await row('songs.csv').getByRole('button', { name: 'Show songs of songs.csv' }).click();
    await page.getByText(`1–25 of ${classified}`).waitFor();
    await page.locator('.list .link').first().click();
    await page.getByText('This song was classified again later, in again.csv.').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Files', exact: true }).click();

    await row('again.csv').getByRole('button', { name: 'Delete again.csv' }).click();
    await page.getByRole('button', { name: `Delete the file and its ${classified} songs` }).click();
    await page.getByText(`Deleted again.csv and ${classified} songs.`).waitFor();
    await row('again.csv').waitFor({ state: 'detached' });
    await focused(page, '#files-title'); // the focused button is gone
    await row('songs.csv').getByRole('button', { name: 'Delete songs.csv' }).click();
    await page.getByRole('button', { name: 'Delete the file', exact: true }).click();
    await page.getByText('No files yet.').waitFor();
  });
}

/** Comparing two files, genres over batches, and reclassifying a file's songs. */
export async function comparedFiles({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    const lines = (await readFile(file, 'utf8')).split('\n');
    await drop(page, 'body', 'other.csv', `${lines.slice(0, 101).join('\n')}\n`);
    await page.getByRole('option', { name: /^other\.csv/ }).first().waitFor({ state: 'attached' });
    await settled(page);

    // the genres of both, also in the URL
    const choice = page.getByLabel('Compare with');
    await choice.selectOption(await choice.locator('option', { hasText: 'songs.csv' }).getAttribute('value'));
    const bars = page.locator('.genre-bars button').filter({ has: page.locator('.dot') });
    await bars.first().getByText(/^\d+% \/ \d+%$/).waitFor();
    const tooltip = await bars.first().getAttribute('title');
    equal(/^[\w ]+: \d+ songs? of \d+; \d+% of the other file$/.test(tooltip), true, tooltip);
    await page.reload();
    await bars.first().getByText(/^\d+% \/ \d+%$/).waitFor();
    await checkAccessible(page);
    await screenshot(page, 'page-compared-desktop');
    await page.setViewportSize({ width: 320, height: 700 });
    await page.waitForFunction(() => document.documentElement.scrollWidth === 320);
    await bars.first().scrollIntoViewIfNeeded();
    await screenshot(page, 'page-compared-narrow');
    await page.setViewportSize(DESKTOP.viewport);
    await page.getByLabel('Songs of').selectOption('');
    equal((await shown(page)).get('compare'), null, 'comparison of all songs');

    // each batch has a bar that opens it
    await page.getByText('Genres over batches').click();
    const history = page.locator('.history li');
    equal(await history.locator('button').allInnerTexts(), ['other.csv', 'songs.csv'], 'batches');
    const parts = history.first().locator('.stack span');
    equal(/: \d+ songs?, \d+%$/.test(await parts.first().getAttribute('title')), true, 'tooltip of a part');
    await checkAccessible(page);
    await screenshot(page, 'page-history-desktop');
    await history.first().getByRole('button').click();
    await page.getByText('rows in the file').waitFor();

    // reclassify one file, with all songs below the threshold
    await page.getByRole('button', { name: 'Files', exact: true }).click();
    await page.getByRole('button', { name: 'Classify again: other.csv' }).click();
    await page.getByLabel('Uncertain below, in percent').fill('100');
    await checkAccessible(page);
    await screenshot(page, 'page-again-desktop');
    await page.getByRole('dialog').getByRole('button', { name: 'Classify again' }).click();
    await page.getByText(/^Classifying the \d+ songs of other\.csv again\.$/).waitFor();
    const again = page
      .getByRole('listitem')
      .filter({ has: page.getByRole('heading', { name: 'Songs without a file' }) });
    await again.getByText('Classified', { exact: true }).waitFor({ timeout: 60_000 });
    await page.getByText(/^Songs without a file: \d+ songs classified\.$/).waitFor();
  });
}

/** A file without some required columns: they are listed as ranges, with a template that works. */
export async function missingColumns({ url }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByText('Drop CSV files of songs here').waitFor();
    await drop(page, 'body', 'short.csv', 'trackID,title,tempo\n1,One,120\n');
    const refused = page.locator('.notice.bad');
    await refused.getByText('vect_1 … vect_148').first().waitFor();
    equal(await refused.getByRole('button', { name: /^Skip/ }).count(), 0, 'offers to skip rows');
    equal(await refused.getByRole('columnheader').allInnerTexts(), ['Problem', 'Lines'], 'columns with content');
    await checkAccessible(page);
    await screenshot(page, 'page-missing-columns-desktop');
    const download = page.waitForEvent('download');
    await refused.getByRole('button', { name: 'Download a template' }).click();
    const template = await readFile(await (await download).path(), 'utf8');
    equal(template.split('\n').length, 4, 'lines of the template with its end');
    await drop(page, 'body', 'template.csv', template);
    await page.getByText('rows in the file').waitFor();
    equal(await page.locator('.facts dd').first().innerText(), '2', 'rows of the template');
  });
}

/** Several files at once, one of them invalid: none is lost. */
export async function severalFiles({ url, file, bad_file: badFile }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByLabel('CSV files of songs').setInputFiles([file, badFile]);
    await page.getByText('bad.csv was refused. Nothing was stored.').waitFor();
    await page.getByText(/^songs\.csv: \d+ songs classified\.$/).waitFor();
    await checkAccessible(page);
    await screenshot(page, 'page-queue-desktop');
    await page.getByRole('button', { name: 'Show songs' }).click();
    await page.getByText('rows in the file').waitFor();
  });
}

export async function refusedFile({ url, bad_file: badFile, problem }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByText('Drop CSV files of songs here').waitFor();
    await drop(page, 'footer', basename(badFile), await readFile(badFile, 'utf8'));
    await page.getByText('was refused. Nothing was stored.').waitFor();
    equal(await page.locator('.problems tbody tr').first().locator('td').allInnerTexts(), problem,
      'column, problem, value, line');
    await checkAccessible(page);
    await screenshot(page, 'page-refused-desktop');
    // the file without the invalid row
    await page.getByRole('button', { name: 'Skip 1 row and classify' }).click();
    await page.getByText('rows in the file').waitFor();
    await page.getByText('skipped: invalid values').waitFor();
    await page.getByText('Problems in the skipped rows').click();
    equal(await page.locator('.genres .problems tbody tr').count(), 1, 'problems kept');
  });
}

/** A file without optional columns is classified without them. */
export async function incompleteFile({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByLabel('CSV files of songs').setInputFiles(file);
    await page.getByText('was refused. Nothing was stored.').waitFor();
    await checkAccessible(page);
    await page
      .getByRole('button', { name: 'Classify without these columns (less accurate)' })
      .click();
    await page.getByText('rows in the file').waitFor();
    await page.getByText('classified with missing values').waitFor();
  });
}

/** A large file, classified in the background: its progress is shown and survives a reload. */
export async function largeFile({ url, file, rows }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByLabel('CSV files of songs').setInputFiles(file);
    const bar = page.getByRole('progressbar', { name: 'Classification' });
    await partlyDone(page);
    equal(await bar.getAttribute('max'), String(rows), 'rows that the bar stands for');
    await page.reload();
    await partlyDone(page);
    await page.getByRole('button', { name: 'Files 1 being classified' }).click();
    await page.waitForFunction(() =>
      document.querySelector('.files .status')?.innerText === 'Classifying' &&
      document.querySelectorAll('progress[aria-label=Classification]').length === 1);
    await checkAccessible(page);
    await screenshot(page, 'page-progress-desktop');
    await page.getByText(/^large\.csv: 2\d,\d{3} songs classified\.$/).waitFor({ timeout: 120_000 });
    await screenshot(page, 'page-toast-desktop');
    await page.getByRole('button', { name: 'Show songs', exact: true }).click();
    await page.getByText('rows in the file').waitFor();
    equal(await page.locator('.facts dd').first().innerText(), rows.toLocaleString('en'), 'rows');
    await focused(page, '#genres-title');
    // a list too long for memory is paged and filtered by the service
    await settled(page);
    await page.getByLabel('Confidence', { exact: true }).selectOption('Uncertain only');
    await page.locator('.list .tag').first().waitFor();
    await page.getByLabel('Order').selectOption('Least confident first');
    await page.getByLabel('Lowest confidence').fill('30');
    await page.locator('.songs').getByText(/^30–100%: [\d,]+ songs$/).waitFor();
    await settled(page);
    equal((await column(page, 3)).map((text) => Number.parseInt(text, 10)).every((share) => share === 30), true,
      'the least confident of those above 30%');
    await page.locator('.songs').getByRole('button', { name: 'Next' }).click();
    await page.getByText(/^26–50/).waitFor();
    await checkAccessible(page);
    await screenshot(page, 'page-many-songs-desktop');
  });
}

/** Wait until some but not all rows are done, in the bar and in words. */
const partlyDone = (page) =>
  page.waitForFunction(() => {
    const bar = document.querySelector('.activity progress[aria-label="Classification"]');
    const said = document.querySelector('.activity [role="status"]')?.innerText ?? '';
    return bar?.position > 0 && bar.position < 1 && /^\d?0% of the rows are done\.$/.test(said);
  });

/** A queued file is followed by each kind of connection. */
export async function queuedFile({ url, file, rows, way }) {
  const opened = { sockets: 0, streams: 0 };
  await inBrowser(url, DESKTOP, async (page) => {
    if (way === 'socket') page.on('websocket', () => { opened.sockets += 1; });
    else if (way === 'silence') await silentAfterFirstProgress(page, () => { opened.sockets += 1; });
    else await page.routeWebSocket(/\/graphql$/, (socket) => socket.close({ code: 3000 }));
    await page.route('**/graphql', (route) => {
      const stream = route.request().headers().accept === 'text/event-stream';
      if (stream) opened.streams += 1;
      return stream && way === 'polls' ? route.abort() : route.continue();
    });
    await signIn(page, url);
    await page.getByText('Drop CSV files of songs here').waitFor();
    const reply = page.waitForResponse((response) =>
      response.request().headers()['content-type']?.startsWith('multipart/'));
    await page.getByLabel('CSV files of songs').setInputFiles(file);
    equal((await (await reply).json()).data.classifyBatch.status, 'QUEUED', 'status at first');
    // a user who waits gets to the songs
    await page.getByText('rows in the file').waitFor();
    equal(await page.locator('.facts dd').first().innerText(), String(rows), 'rows');
    await settled(page);
  }, { allowed: REFUSED_REQUEST });
  const overSocket = way === 'socket' || way === 'silence';
  equal([opened.sockets > 0, opened.streams > 0], [overSocket, !overSocket], 'connections used');
}

/** A connection that dies silently, as in a tunnel, after the first progress. */
const silentAfterFirstProgress = (page, onSilence) =>
  page.routeWebSocket(/\/graphql$/, (socket) => {
    const server = socket.connectToServer();
    let silent = false;
    server.onMessage((message) => {
      if (silent) return;
      socket.send(message);
      if (JSON.parse(message).type === 'next') {
        silent = true;
        onSilence();
      }
    });
    socket.onMessage((message) => silent || server.send(message));
  });

export async function cancelledFile({ url, file }) {
  await inBrowser(url, PHONE, async (page) => {
    await signIn(page, url);
    const picker = page.getByLabel('CSV files of songs');
    await picker.setInputFiles(file);
    await page.getByText('Queued: 0 of 428 rows').waitFor();
    await checkAccessible(page);
    await screenshot(page, 'page-queued-phone');
    await page.reload();
    await page.getByText('Queued: 0 of 428 rows').waitFor();
    // meanwhile the page accepts other files; uploading the same one joins its batch
    await page.getByText('Drop CSV files of songs here').waitFor();
    await picker.setInputFiles(file);
    await page.waitForFunction(() => document.querySelectorAll('.activity > li').length === 1 &&
      !document.querySelector('.activity progress[aria-label="Upload"]'));
    await page.getByRole('button', { name: 'Cancel songs.csv' }).click();
    await page.getByText('songs.csv was cancelled. Nothing was stored.').waitFor();
    await page.locator('.activity').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Files', exact: true }).click();
    await page.locator('.files').getByText('Cancelled', { exact: true }).waitFor();
    await checkAccessible(page);
    await screenshot(page, 'page-cancelled-phone');
  });
}

/** The page shows the service's reason why a batch waits. */
export async function waitingFile({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await page.routeWebSocket(/\/graphql$/, (socket) => socket.close({ code: 3000 }));
    await page.route('**/graphql', async (route) => {
      const { accept, 'content-type': type } = route.request().headers();
      if (accept === 'text/event-stream') return route.abort();
      if (type?.startsWith('multipart/')) return route.continue();
      const response = await route.fetch();
      const text = await response.text();
      const changed = text.replaceAll(
        /"status":\s*"QUEUED"/g, '"status":"WAITING"',
      ).replaceAll(/"waitingReason":\s*null/g, '"waitingReason":"The disk is full."');
      return route.fulfill({ response, body: changed });
    });
    await signIn(page, url);
    await page.getByLabel('CSV files of songs').setInputFiles(file);
    await page.getByText('Waiting: 0 of 428 rows').waitFor();
    await page.getByText('The disk is full.').first().waitFor();
    await page.getByRole('button', { name: 'Files 1 being classified' }).click();
    await page.locator('.files').getByText('Waiting', { exact: true }).waitFor();
    equal(await page.getByText('You can close this page').count(), 1, 'what people who wait want to know');
    await checkAccessible(page);
    await page.unrouteAll({ behavior: 'ignoreErrors' }); // it polls every second
  }, { allowed: REFUSED_REQUEST });
}

/** The Files view may report a failure before the subscription does. */
export async function failedBeforeItWasFollowed({ url, bad_file: badFile }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await page.routeWebSocket(/\/graphql$/, async (socket) => {
      await page.waitForTimeout(3000);
      socket.connectToServer();
    });
    await page.route('**/graphql', async (route) => {
      if (route.request().postData()?.includes('query Overview')) await page.waitForTimeout(1500);
      await route.continue();
    });
    await signIn(page, url);
    await page.getByLabel('CSV files of songs').setInputFiles(badFile);
    await page.getByRole('heading', { name: 'bad.csv was refused. Nothing was stored.' }).waitFor();
    await page.unrouteAll({ behavior: 'ignoreErrors' });
  });
}

export async function failedFile({ url, bad_file: badFile, problem }) {
  await inBrowser(url, { ...DESKTOP, ...DARK }, async (page) => {
    await signIn(page, url);
    await page.getByLabel('CSV files of songs').setInputFiles(badFile);
    await page.getByRole('heading', { name: 'bad.csv was refused. Nothing was stored.' }).waitFor();
    await focused(page, '.notice.bad h3');
    equal(await page.locator('.problems tbody tr').first().locator('td').allInnerTexts(), problem,
      'column, problem, value, line');
    await checkAccessible(page);
    await screenshot(page, 'page-failed-desktop');
    await page.getByRole('button', { name: 'Skip 1 row and classify' }).click();
    await page.getByText('skipped: invalid values').waitFor();
    await page.getByRole('button', { name: 'Files', exact: true }).click();
    await page.locator('.files').getByText('1 problem').first().waitFor();
  });
}
