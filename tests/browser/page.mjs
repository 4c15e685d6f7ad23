// The page.
import { readFile } from 'node:fs/promises';
import {
  checkAccessible,
  checkTouchTargets,
  DARK,
  DESKTOP,
  equal,
  inBrowser,
  PHONE,
  REFUSED_REQUEST,
  screenshot,
} from './browser.mjs';
import { column, focused, settled, shown, signIn, upload } from './steps.mjs';

export async function journey({ url, file, rows, classified, genre, songs, search, found, shots }) {
  const shot = (page, name) => (shots ? screenshot(page, name) : null);
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByText('Drop CSV files of songs here').waitFor();
    await checkAccessible(page);

    await upload(page, file);
    equal(await page.locator('.facts dd').allInnerTexts().then((all) => all.slice(0, 2)),
      [rows.toLocaleString('en'), classified.toLocaleString('en')], 'rows and songs');
    await settled(page);
    await checkAccessible(page);
    await shot(page, 'page-desktop');

    // all results as a file from the service
    const whole = page.waitForEvent('download');
    const made = page.waitForResponse(/\/batches\/.+\/songs\.csv$/);
    await page.getByRole('button', { name: 'Download CSV' }).click();
    equal((await made).status(), 200, 'status of the file');
    const lines = (await readFile(await (await whole).path(), 'utf8')).split('\n');
    equal(lines.length, classified + 2, 'lines of the whole file with its header and end');
    const probabilities = [
      'classic pop and rock', 'dance and electronica', 'folk', 'jazz and blues', 'metal', 'pop', 'punk',
      'soul and reggae',
    ].map((genre) => `probability_${genre}`);
    equal(lines[0], ['\uFEFFtrackID,title,genre,verifiedGenre,confidence,confident', ...probabilities,
      'modelVersion,classifiedAt'].join(','), 'its header');

    // a genre and its pages
    await page.getByRole('button', { name: `${genre} ${songs} song` }).click();
    await page.getByRole('heading', { name: genre }).waitFor();
    await page.getByText(`1–${Math.min(25, songs)} of ${songs}`).waitFor();
    const first = await column(page, 1);
    await page.locator('.songs').getByRole('button', { name: 'Next' }).click();
    await page.getByText(`26–${Math.min(50, songs)} of ${songs}`).waitFor();
    const second = await column(page, 1);
    equal([...new Set(await column(page, 2))], [genre], 'genres of the page');
    if (first.join() === second.join()) throw new Error('the second page is the first');
    await page.locator('.songs').getByRole('button', { name: 'Previous' }).click();
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

    // search in all genres, and save the result
    await page.getByRole('button', { name: /^All genres/ }).click();
    await page.getByLabel('Search titles').fill(search);
    await page.getByText(new RegExp(`of ${found}$`)).waitFor();
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download CSV' }).click();
    const text = await readFile(await (await download).path(), 'utf8');
    equal(text.split('\r\n').length, found + 2, 'lines of the file with its header and end');
    equal(text.split('\r\n')[0],
      '\uFEFFtrackID,title,genre,confidence,confident,modelVersion,classifiedAt', 'header');

    // a reload shows the same list; the credentials are kept in this tab
    await page.reload();
    await page.getByText(new RegExp(`of ${found}$`)).waitFor();
    equal(await page.getByLabel('Search titles').inputValue(), search, 'search after a reload');
  });
}

export async function phone({ url, file }) {
  await inBrowser(url, PHONE, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    await settled(page);
    await checkAccessible(page);
    await checkTouchTargets(page);
    await page.evaluate(() => document.querySelector('.genres').scrollIntoView());
    await screenshot(page, 'page-phone');
    await page.evaluate(() => scrollTo(0, 0));
    await screenshot(page, 'page-phone-long', { fullPage: true });
    await page.locator('.list .link').first().click();
    await page.getByRole('dialog').getByRole('rowheader').first().waitFor();
    await checkAccessible(page);
    await checkTouchTargets(page);
    await page.getByText('Track ID').scrollIntoViewIfNeeded();
    const { y } = await page.getByRole('button', { name: 'Close' }).boundingBox();
    equal(y > 0 && y < PHONE.viewport.height, true, 'the way out of a long dialog is in view');
  });
}

/** Every state of the page, checked by axe, with screenshots. */
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
    await page.getByLabel('Client ID').waitFor();
    await look('sign-in');
    await signIn(page, url);
    await page.getByText('Drop CSV files of songs here').waitFor();
    await page.getByText(/for \d+–\d+% of songs by artists not in its training data/).waitFor();
    await look('start');
    await page.getByText('File format').click();
    await page.getByText('Options').click();
    await look('details');
    await page.getByText('File format').click();
    await page.getByText('Options').click();
    await page.getByLabel('CSV files of songs').setInputFiles(badFile);
    await page.getByText('was refused. Nothing was stored.').waitFor();
    await look('refused');
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await upload(page, file);
    await settled(page);
    await look('songs');
    await page.getByRole('button', { name: /^metal \d+ songs/ }).click();
    await settled(page);
    await page.getByRole('heading', { name: 'metal' }).waitFor();
    await look('genre');
    await page.locator('.list .link').first().click();
    await page.getByRole('dialog').getByRole('rowheader').first().waitFor();
    await look('song');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^Client/ }).click();
    await page.getByRole('dialog').getByLabel('Client secret').waitFor();
    await look('client');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Files', exact: true }).click();
    await page.getByRole('button', { name: /^Delete/ }).first().waitFor();
    await look('files');
    await page.getByRole('button', { name: /^Delete/ }).first().click();
    await page.getByRole('dialog').waitFor();
    await look('delete');
    await page.keyboard.press('Escape');
    await page.route('**/graphql', (route) => route.abort());
    await page.getByLabel('CSV files of songs').setInputFiles(file);
    await page.getByText('The service cannot be reached.').waitFor();
    await look('unreachable');
  }, { allowed: REFUSED_REQUEST });
}

export async function keyboard({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await page.goto(url);
    await page.getByLabel('Client ID').waitFor();
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
    await tabTo('Client ID');
    await page.keyboard.type('test');
    await tabTo('Client secret');
    await page.keyboard.type('test');
    await page.keyboard.press('Enter');
    await page.getByText('Drop CSV files of songs here').waitFor();
    const chooser = page.waitForEvent('filechooser');
    await tabTo('Choose files');
    await page.keyboard.press('Enter');
    await (await chooser).setFiles(file);
    await page.getByText('rows in the file').waitFor();
    await settled(page);
    await focused(page, '#genres-title');
    await tabTo('All genres');
    await page.keyboard.press('Tab'); // the button of the first genre
    await page.keyboard.press('Space');
    await page.locator('.genre-bars [aria-pressed="true"] .dot').waitFor();
    await settled(page);
    await tabTo('Lowest confidence');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() => new URL(location.href).searchParams.get('from') === '10');
    await tabTo('Highest confidence');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    const place = page.getByRole('dialog').getByText(/^\d+ of \d+$/);
    equal((await place.innerText()).split(' ')[0], '1', 'place of the first song');
    await page.keyboard.press('ArrowRight');
    await place.getByText(/^2 of/).waitFor();
    await page.keyboard.press('ArrowLeft');
    await place.getByText(/^1 of/).waitFor();
    await page.getByRole('dialog').getByRole('rowheader').first().waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await focused(page, '.link'); // the focus is restored
  });
}

/** The row of an open song disappears before its dialog is closed. */
export async function listChangesUnderADialog({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    await page.locator('.list .link').first().focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByRole('rowheader').first().waitFor();
    for (let songs = 0; songs < 30; songs += 1) await page.keyboard.press('ArrowRight');
    await page.evaluate(() => document.querySelector('.list').remove());
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await focused(page, '#songs-title');
  });
}

/** The URL contains the state: back, forward and another tab restore it. */
export async function address({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    const batch = (await shown(page)).get('file');
    await page.getByRole('button', { name: /^metal \d+ songs/ }).click();
    await page.getByRole('heading', { name: 'metal' }).waitFor();
    await page.getByLabel('Order').selectOption('least-confident');
    const lowest = Number.parseFloat((await column(page, 3))[0]);
    const highest = Number.parseFloat((await column(page, 3)).at(-1));
    equal(lowest < highest, true, 'least confident first');
    await page.locator('.list .link').first().click();
    await page.getByRole('dialog').getByRole('rowheader').first().waitFor();
    const listed = await column(page, 1);
    const [song, title] = [(await shown(page)).get('song'), listed[0]];
    equal(Object.fromEntries(await shown(page)), { file: batch, genre: 'metal', sort: 'least-confident', song },
      'address');

    // a reload starts with the final layout
    const link = page.url();
    let release;
    const held = new Promise((resolve) => { release = resolve; });
    await page.route('**/graphql', (route) => held.then(() => route.continue()));
    await page.reload();
    await page.locator('.skeleton').first().waitFor();
    equal(await page.locator('.intro.small').count(), 1, 'layout while loading');
    equal(await page.getByLabel('Confidence', { exact: true }).count(), 0, 'filters that go after loading');
    release();
    await page.unrouteAll({ behavior: 'wait' });
    await page.getByRole('dialog').getByRole('rowheader').first().waitFor();

    await page.goBack();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.goBack();
    await page.waitForFunction(() => document.querySelector('[aria-label=Order]').value === 'title');
    await page.goBack();
    await page.getByRole('heading', { name: 'All songs' }).waitFor();
    await page.goForward();
    await page.getByRole('heading', { name: 'metal' }).waitFor();

    // the link in another tab, after signing in there
    const other = await page.context().newPage();
    await signIn(other, link);
    await other.getByRole('dialog', { name: title }).waitFor();
    await other.keyboard.press('Escape');
    await other.getByRole('heading', { name: 'metal' }).waitFor();
    await settled(other);
    equal(await column(other, 1), listed, 'songs');

    // another file starts without filters
    await page.getByLabel('Search titles').fill('no such title');
    await page.getByText('No songs match.').waitFor();
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await settled(page);
    await page.getByLabel('Search titles').fill('love');
    await page.waitForFunction(() => new URL(location.href).searchParams.get('search') === 'love');
    await page.getByLabel('CSV files of songs').setInputFiles(file);
    await page.waitForFunction((old) => {
      const now = new URL(location.href).searchParams;
      return now.get('file') !== old && now.get('search') === null;
    }, batch);
    await settled(page);
    equal(await page.getByLabel('Search titles').inputValue(), '', 'search for the new file');

    // a link to a deleted file offers a way on
    await page.goto(`${url}/?file=${btoa('Batch:00000000-0000-0000-0000-000000000000')}`);
    await page.getByText('This file does not exist.').waitFor();
    equal(await page.locator('.songs').count(), 0, 'lists of no songs');
    equal(await page.getByLabel('Songs of').locator('option:checked').innerText(), 'No such file', 'choice');
    await checkAccessible(page);
    await page.getByRole('button', { name: 'Show all songs' }).click();
    await settled(page);
  });
}

/** Sorting by confidence, and the histogram's range. */
export async function confidenceRange({ url, file, above }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    await page.getByLabel('Order').selectOption('most-confident');
    const lowest = page.getByLabel('Lowest confidence');
    const before = await lowest.boundingBox();
    await lowest.fill('50');
    equal(await lowest.boundingBox(), before, 'place of what is dragged');
    await page.getByText(`50–100%: ${above} songs`).waitFor();
    await page.getByText(`of ${above}`, { exact: false }).last().waitFor();
    const shares = (await column(page, 3)).map(Number.parseFloat);
    equal(shares.every((share, place) => place === 0 || share <= shares[place - 1]), true, 'order');
    await screenshot(page, 'page-range-desktop');
    await page.getByRole('button', { name: 'Reset' }).click();
    equal(await lowest.inputValue(), '0', 'lowest confidence after a reset');
    await focused(page, '[aria-label="Lowest confidence"]'); // the button has disappeared

    // the explanation of a genre, in words
    await page.locator('.list .link').first().click();
    await page.getByRole('dialog').getByRole('heading', { name: /^Why / }).waitFor();
    const reasons = await page.locator('.why li').allInnerTexts();
    equal(reasons.length, 6, 'reasons');
    equal(reasons.every((reason) => /: (for|against) /.test(reason)), true, `words: ${reasons}`);
  });
}

/** No sideways scrolling at 320 pixels, in forced colours and in each theme. */
export async function narrow({ url, file, bad_file: badFile }) {
  const options = { viewport: { width: 320, height: 640 }, deviceScaleFactor: 2 };
  await inBrowser(url, options, async (page) => {
    const look = async (state) => {
      await checkAccessible(page);
      await checkTouchTargets(page);
      await screenshot(page, `page-320-${state}`, { fullPage: true });
    };
    await page.goto(url);
    await page.getByLabel('Client ID').waitFor();
    await look('sign-in');
    await signIn(page, url);
    await page.getByLabel('CSV files of songs').setInputFiles(badFile);
    await page.getByText('was refused. Nothing was stored.').waitFor();
    await look('refused');
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await upload(page, file);
    await look('songs');
    // choosing a genre scrolls to its songs
    await page.evaluate(() => scrollTo(0, 0));
    await page.getByRole('button', { name: /^metal \d+ songs/ }).click();
    await page.waitForFunction(() => {
      const { top } = document.getElementById('songs-title').getBoundingClientRect();
      return top >= 0 && top < innerHeight;
    });
    await page.locator('.list .link').first().click();
    await page.getByRole('dialog').getByRole('rowheader').first().waitFor();
    await look('song');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Files', exact: true }).click();
    await page.getByRole('button', { name: /^Delete/ }).first().waitFor();
    await look('files');
  });
  await inBrowser(url, { viewport: { width: 1024, height: 560 } }, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    const heights = await page.locator('.list tbody tr').evaluateAll((rows) =>
      rows.map((row) => Math.round(row.getBoundingClientRect().height)));
    equal(new Set(heights).size, 1, `heights of the rows, ${heights}: titles that wrap`);
    const { height } = await page.locator('.genres').boundingBox();
    equal(height <= 560, true, 'the card that stays in view fits into it');
    await checkAccessible(page);
  });
  await inBrowser(url, { ...DESKTOP, forcedColors: 'active' }, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    await checkAccessible(page);
    await screenshot(page, 'page-forced-colors');
    const bar = page.locator('.genre-bars .fill').first();
    const [fill, ground] = await bar.evaluate((element) => [
      getComputedStyle(element).backgroundColor, getComputedStyle(document.body).backgroundColor]);
    equal(fill !== ground, true, 'a bar is seen');
    const button = page.getByRole('button', { name: 'Choose files' });
    equal(await button.evaluate((element) => getComputedStyle(element).borderTopWidth), '1px',
      'border of a button, which has no ground');
  });
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    equal(await ground(), 'rgb(246, 245, 251)', 'ground at first');
    await page.getByLabel('Theme').selectOption('Dark');
    equal(await ground(), 'rgb(17, 16, 26)', 'ground in the dark');
    await page.reload();
    equal(await ground(), 'rgb(17, 16, 26)', 'ground after a reload');
    await page.getByText('Drop CSV files of songs here').waitFor();
    await page.keyboard.press('Tab');
    equal(await page.evaluate(() => document.activeElement?.innerText), 'Skip to content', 'first stop');
    await page.keyboard.press('Enter');
    await focused(page, '#main');
  });
}

/** The bytes transferred by a first visit. */
export async function weight({ url, limit }) {
  await inBrowser(url, DESKTOP, async (page) => {
    const session = await page.context().newCDPSession(page);
    await session.send('Network.enable');
    let bytes = 0;
    session.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength; });
    await page.goto(url);
    await page.getByLabel('Client ID').waitFor();
    await page.waitForLoadState('networkidle');
    equal(await page.evaluate(() => document.fonts.check('16px "Inter Variable"')), true, 'the font');
    if (bytes > limit) throw new Error(`the page takes ${bytes} bytes, more than ${limit}`);
    console.log(`${bytes} bytes`);
  });
}

export async function wrongCredentials({ url }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url, 'wrong');
    await page.getByRole('alert').getByText('Sign-in failed. Check your client ID and secret.').waitFor();
    await checkAccessible(page);
    equal(await page.getByRole('navigation', { name: 'Views' }).count(), 0, 'views of nobody');
    // the same credentials are checked again: the client may have been added
    const again = page.waitForRequest('**/graphql');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await again;
    await page.getByLabel('Client secret').fill('test');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('Drop CSV files of songs here').waitFor();
    const kept = await page.evaluate(() => [localStorage.length, document.cookie]);
    equal(kept, [0, ''], 'data kept after the tab was closed');
  }, { allowed: REFUSED_REQUEST });
}

/** A low upload limit, known to the page or reported by the service. */
export async function tooLarge({ url, file }) {
  for (const limitKnown of [true, false]) {
    await inBrowser(url, DESKTOP, async (page) => {
      if (!limitKnown) {
        await page.route('**/assets/configuration.json', (route) =>
          route.fulfill({ json: { version: '', knownClient: null, introspection: true, maxUploadBytes: 1e9 } }));
      }
      await signIn(page, url);
      await page.getByLabel('CSV files of songs').setInputFiles(file);
      await page.locator('.notice').getByText(/in(to)? several files/).waitFor();
    }, { allowed: REFUSED_REQUEST });
  }
}

export async function lostConnection({ url, file }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByText('Drop CSV files of songs here').waitFor();
    await page.route('**/graphql', (route) => route.abort());
    await page.getByLabel('CSV files of songs').setInputFiles(file);
    await page.getByText('songs.csv was not sent.').waitFor();
    await page.getByText('The service cannot be reached.').waitFor();
    await page.unroute('**/graphql');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('rows in the file').waitFor();
  }, { allowed: REFUSED_REQUEST });
}

export async function knownClient({ url }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await page.goto(url);
    await page.getByRole('button', { name: 'Try the sample songs' }).click();
    await page.getByText('rows in the file').waitFor();
    equal(await page.locator('.facts dd').first().innerText(), '428', 'rows of the sample');
    await page.getByRole('button', { name: 'Remove the sample songs' }).click();
    await page.getByText('Removed 414 sample songs.').waitFor();
    await page.locator('.steps').waitFor(); // as on a first visit
  });
}
