// The page for people, as people use it.
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

async function signIn(page, url, secret = 'test') {
  await page.goto(url);
  await page.getByLabel('Client id').fill('test');
  await page.getByLabel('Client secret').fill(secret);
  await page.getByRole('button', { name: 'Continue' }).click();
}

async function upload(page, file) {
  await page.getByLabel('CSV file of songs').setInputFiles(file);
  await page.getByText('rows in the file').waitFor();
}

/** Text of the list's cells in one column. */
const column = (page, number) =>
  page.locator(`.list tbody td:nth-child(${number})`).allInnerTexts();

const settled = (page) => page.locator('.list:not(.loading)').waitFor();

export async function journey({ url, file, rows, classified, genre, songs, search, found, shots }) {
  const shot = (page, name) => (shots ? screenshot(page, name) : null);
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByText('Drop a CSV of songs here').waitFor();
    await checkAccessible(page);

    await upload(page, file);
    equal(await page.locator('.facts dd').allInnerTexts().then((all) => all.slice(0, 2)),
      [rows.toLocaleString('en'), classified.toLocaleString('en')], 'rows and songs');
    await settled(page);
    await checkAccessible(page);
    await shot(page, 'page-desktop');

    // all of it as a file, which the service makes
    const whole = page.waitForEvent('download');
    const made = page.waitForResponse(/\/batches\/.+\/songs\.csv$/);
    await page.getByRole('button', { name: 'Download CSV' }).click();
    equal((await made).status(), 200, 'status of the file');
    const lines = (await readFile(await (await whole).path(), 'utf8')).split('\n');
    equal(lines.length, classified + 2, 'lines of the whole file with its header and end');
    equal(lines[0], '\uFEFFtrackID,title,genre,confidence,confident,modelVersion', 'its header');

    // a genre, its pages
    await page.getByRole('button', { name: `${genre}, ${songs} song` }).click();
    await page.getByRole('heading', { name: genre }).waitFor();
    await page.getByText(`1–${Math.min(25, songs)} of ${songs}`).waitFor();
    const first = await column(page, 1);
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText(`26–${Math.min(50, songs)} of ${songs}`).waitFor();
    const second = await column(page, 1);
    equal(new Set(await column(page, 2)), new Set([genre]), 'genres of the page');
    if (first.join() === second.join()) throw new Error('the second page is the first');
    await page.getByRole('button', { name: 'Previous' }).click();
    await page.getByText(`1–${Math.min(25, songs)} of ${songs}`).waitFor();
    equal(await column(page, 1), first, 'the first page again');

    // a song
    await page.locator('.list .link').first().click();
    const dialog = page.getByRole('dialog', { name: first[0] });
    await dialog.getByRole('rowheader').first().waitFor();
    const shares = await dialog.locator('.probabilities .number').allInnerTexts();
    const sum = shares.reduce((total, share) => total + Number.parseFloat(share), 0);
    if (Math.abs(sum - 100) > 0.5) throw new Error(`the probabilities add up to ${sum} %`);
    equal(await dialog.getByRole('rowheader').first().innerText(), genre, 'most likely genre');
    await checkAccessible(page);
    await shot(page, 'page-song-desktop');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });

    // search over all genres, and the result as a file
    await page.getByRole('button', { name: /^All genres/ }).click();
    await page.getByLabel('Search in titles').fill(search);
    await page.getByText(new RegExp(`of ${found}$`)).waitFor();
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download CSV' }).click();
    const text = await readFile(await (await download).path(), 'utf8');
    equal(text.split('\r\n').length, found + 2, 'lines of the file with its header and end');
    equal(text.split('\r\n')[0],
      '\uFEFFtrackID,title,genre,confidence,confident,modelVersion,classifiedAt', 'header');

    // another visit finds the songs; the credentials are this tab's
    await page.reload();
    await page.getByText(`${classified} songs`, { exact: true }).waitFor();
  });
}

export async function phone({ url, file }) {
  await inBrowser(url, PHONE, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    await settled(page);
    await checkAccessible(page);
    await page.evaluate(() => scrollTo(0, 0));
    await screenshot(page, 'page-phone', { fullPage: true });
    await page.locator('.list .link').first().click();
    await page.getByRole('dialog').getByRole('rowheader').first().waitFor();
    await checkAccessible(page);
  });
}

/** Every state of the page, for axe and for the eye. */
export async function dark({ url, file, bad_file: badFile }) {
  await states(url, { ...DESKTOP, ...DARK }, 'dark', file, badFile);
}

export async function light({ url, file, bad_file: badFile }) {
  await states(url, DESKTOP, 'light', file, badFile);
}

async function states(url, options, scheme, file, badFile) {
  await inBrowser(url, options, async (page) => {
    const look = async (state) => {
      await checkAccessible(page);
      await screenshot(page, `page-${scheme}-${state}`);
    };
    await page.goto(url);
    await page.getByLabel('Client id').waitFor();
    await look('sign-in');
    await signIn(page, url);
    await page.getByText('Drop a CSV of songs here').waitFor();
    await look('start');
    await page.getByText('What must the file hold?').click();
    await page.getByText('Options').click();
    await look('details');
    await page.getByText('What must the file hold?').click();
    await page.getByText('Options').click();
    await page.getByLabel('CSV file of songs').setInputFiles(badFile);
    await page.getByText('was refused; nothing was stored').waitFor();
    await look('refused');
    await upload(page, file);
    await settled(page);
    await look('songs');
    await page.getByRole('button', { name: /^metal, / }).click();
    await settled(page);
    await page.getByRole('heading', { name: 'metal' }).waitFor();
    await look('genre');
    await page.locator('.list .link').first().click();
    await page.getByRole('dialog').getByRole('rowheader').first().waitFor();
    await look('song');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^Client/ }).click();
    await page.getByRole('dialog').getByLabel('Client secret').waitFor();
    await look('credentials');
    await page.keyboard.press('Escape');
    await page.route('**/graphql', (route) => route.abort());
    await page.getByLabel('CSV file of songs').setInputFiles(file);
    await page.getByText('The service cannot be reached.').waitFor();
    await look('unreachable');
  }, { allowed: REFUSED_REQUEST });
}

export async function keyboard({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await page.goto(url);
    await page.getByLabel('Client id').waitFor();
    const tabTo = async (name) => {
      for (let presses = 0; presses < 60; presses += 1) {
        await page.keyboard.press('Tab');
        const focused = await page.evaluate(() => {
          const element = document.activeElement;
          if (element === document.body) return '';
          return element?.getAttribute('aria-label') ?? element?.labels?.[0]?.innerText ??
            element?.innerText ?? '';
        });
        if (focused.includes(name)) return;
      }
      throw new Error(`${name} cannot be reached with the tab key`);
    };
    await tabTo('Client id');
    await page.keyboard.type('test');
    await tabTo('Client secret');
    await page.keyboard.type('test');
    await page.keyboard.press('Enter');
    await page.getByText('Drop a CSV of songs here').waitFor();
    const chooser = page.waitForEvent('filechooser');
    await tabTo('Choose a file');
    await page.keyboard.press('Enter');
    await (await chooser).setFiles(file);
    await page.getByText('rows in the file').waitFor();
    await settled(page);
    equal(await page.evaluate(() => document.activeElement?.id), 'genres-title', 'focus after upload');
    await tabTo('song'); // the first genre's button
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await page.locator('.chips [aria-pressed="true"] .dot').waitFor();
    await settled(page);
    await tabTo('Search in titles');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByRole('rowheader').first().waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.waitForFunction(() => document.activeElement?.className === 'link'); // the focus is back
  });
}

/** A song is opened from a list that is read anew meanwhile, so that its row is gone when it is closed. */
export async function listChangesUnderADialog({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    await settled(page);
    let letGo;
    const held = new Promise((resolve) => {
      letGo = resolve;
    });
    await page.route('**/graphql', async (route) => {
      if (route.request().postData()?.includes('"genre":"metal"')) await held;
      await route.continue();
    });
    await page.getByRole('button', { name: /^metal, / }).click();
    await page.locator('.list.loading .link').first().focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByRole('rowheader').first().waitFor();
    letGo();
    await settled(page);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    equal(await page.evaluate(() => document.activeElement?.id), 'songs-title', 'focus after the dialog');
  });
}

export async function refusedFile({ url, bad_file: badFile, problem }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByText('Drop a CSV of songs here').waitFor();
    await drop(page, '.drop', basename(badFile), await readFile(badFile, 'utf8'));
    await page.getByText('was refused; nothing was stored').waitFor();
    equal(await page.locator('.problems tbody tr').first().locator('td').allInnerTexts(), problem,
      'line, column, value, message');
    await checkAccessible(page);
    await screenshot(page, 'page-refused-desktop');
    // the rest of the file, without the row
    await page.getByText('Options').click();
    await page.getByLabel(/Leave out rows with wrong values/).check();
    await upload(page, badFile);
    await page.getByText('left out, values wrong').waitFor();
    await page.getByText('What was wrong in the rows left out').click();
    equal(await page.locator('.genres .problems tbody tr').count(), 1, 'problems kept');
  });
}

/** A file that the page has queued because of its size: how far it is shows, a reload goes on. */
export async function largeFile({ url, file, rows }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByLabel('CSV file of songs').setInputFiles(file);
    const bar = page.getByRole('progressbar', { name: 'Classification' });
    await onItsWay(page);
    equal(await bar.getAttribute('max'), String(rows), 'rows that the bar stands for');
    await page.reload();
    await onItsWay(page);
    await checkAccessible(page);
    await screenshot(page, 'page-progress-desktop');
    await page.getByText('rows in the file').waitFor();
    equal(await page.locator('.facts dd').first().innerText(), rows.toLocaleString('en'), 'rows');
    equal(await page.evaluate(() => document.activeElement?.id), 'genres-title', 'focus at the end');
    await page.reload();
    await page.getByText('Drop a CSV of songs here').waitFor();
  });
}

/** Some but not all rows are done, in the bar and in words. */
const onItsWay = (page) =>
  page.waitForFunction(() => {
    const bar = document.querySelector('progress[aria-label="Classification"]');
    const said = document.querySelector('.progress [role="status"]')?.innerText ?? '';
    return bar?.position > 0 && bar.position < 1 && /^\d?0% of the rows are done\.$/.test(said);
  });

/** A file that the service queues, followed in each way there is. */
export async function queuedFile({ url, file, rows, way }) {
  const asked = { sockets: 0, streams: 0 };
  await inBrowser(url, DESKTOP, async (page) => {
    if (way === 'socket') page.on('websocket', () => { asked.sockets += 1; });
    else await page.routeWebSocket(/\/graphql$/, (socket) => socket.close({ code: 3000 }));
    await page.route('**/graphql', (route) => {
      const stream = route.request().headers().accept === 'text/event-stream';
      if (stream) asked.streams += 1;
      return stream && way === 'polls' ? route.abort() : route.continue();
    });
    await signIn(page, url);
    await page.getByText('Drop a CSV of songs here').waitFor();
    const reply = page.waitForResponse((response) =>
      response.request().headers()['content-type']?.startsWith('multipart/'));
    await page.getByLabel('CSV file of songs').setInputFiles(file);
    equal((await (await reply).json()).data.classifyBatch.status, 'QUEUED', 'status at first');
    await page.getByText('rows in the file').waitFor();
    equal(await page.locator('.facts dd').first().innerText(), String(rows), 'rows');
    await settled(page);
  }, { allowed: REFUSED_REQUEST });
  equal([asked.sockets > 0, asked.streams > 0], [way === 'socket', way !== 'socket'], 'ways taken');
}

export async function cancelledFile({ url, file }) {
  await inBrowser(url, PHONE, async (page) => {
    await signIn(page, url);
    const picker = page.getByLabel('CSV file of songs');
    await picker.setInputFiles(file);
    await page.getByText('In the queue: ').waitFor();
    await page.getByText('0 of 428 rows').waitFor();
    await checkAccessible(page);
    await screenshot(page, 'page-queued-phone');
    await page.reload();
    await page.getByText('In the queue: ').waitFor();
    // while it waits, the page is free for other files
    await page.getByRole('button', { name: 'Do something else meanwhile' }).click();
    await page.getByText('Drop a CSV of songs here').waitFor();
    await picker.setInputFiles(file);
    await page.getByText('In the queue: ').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    const told = page.getByRole('heading', { name: 'songs.csv was cancelled; nothing was stored' });
    await told.waitFor();
    equal(await told.evaluate((heading) => heading === document.activeElement), true, 'focus');
    await page.getByText('Drop a CSV of songs here').waitFor();
    await checkAccessible(page);
    await screenshot(page, 'page-cancelled-phone');
  });
}

export async function failedFile({ url, bad_file: badFile, problem }) {
  await inBrowser(url, { ...DESKTOP, ...DARK }, async (page) => {
    await signIn(page, url);
    await page.getByLabel('CSV file of songs').setInputFiles(badFile);
    await page.getByText('bad.csv could not be classified; nothing was stored').waitFor();
    equal(await page.locator('.problems tbody tr').first().locator('td').allInnerTexts(), problem,
      'line, column, value, message');
    await checkAccessible(page);
    await screenshot(page, 'page-failed-desktop');
  });
}

export async function wrongCredentials({ url }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url, 'wrong');
    await page.getByRole('alert').getByText('Not let in.').waitFor();
    await checkAccessible(page);
    await page.getByLabel('Client secret').fill('test');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('Drop a CSV of songs here').waitFor();
    const kept = await page.evaluate(() => [localStorage.length, document.cookie]);
    equal(kept, [0, ''], 'what outlives the tab');
  }, { allowed: REFUSED_REQUEST });
}

/** The service takes little; the page is told so, or is not and hears it from the service. */
export async function tooLarge({ url, file }) {
  for (const told of [true, false]) {
    await inBrowser(url, DESKTOP, async (page) => {
      if (!told) {
        await page.route('**/assets/configuration.json', (route) =>
          route.fulfill({ json: { version: '', knownClient: null, introspection: true, maxUploadBytes: 1e9 } }));
      }
      await signIn(page, url);
      await page.getByLabel('CSV file of songs').setInputFiles(file);
      await page.locator('.notice').getByText('in several files').waitFor();
    }, { allowed: REFUSED_REQUEST });
  }
}

export async function lostConnection({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByText('Drop a CSV of songs here').waitFor();
    await page.route('**/graphql', (route) => route.abort());
    await page.getByLabel('CSV file of songs').setInputFiles(file);
    await page.getByText('The service cannot be reached.').waitFor();
    await page.unroute('**/graphql');
    await upload(page, file);
  }, { allowed: REFUSED_REQUEST });
}

export async function knownClient({ url }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await page.goto(url);
    await page.getByRole('button', { name: 'Try the sample songs' }).click();
    await page.getByText('rows in the file').waitFor();
    equal(await page.locator('.facts dd').first().innerText(), '428', 'rows of the sample');
  });
}
