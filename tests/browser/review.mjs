// Reviewing songs by keyboard, and by touch on a phone.
import {
  checkAccessible,
  checkTouchTargets,
  DESKTOP,
  equal,
  inBrowser,
  PHONE,
  REFUSED_REQUEST,
  screenshot,
} from './browser.mjs';
import { settled, shown, signIn, upload } from './steps.mjs';

const title = (page) => page.locator('.review-song h3');
const counter = (page, text) => page.locator('.review').getByText(text, { exact: true }).waitFor();

async function openReview(page, url) {
  await signIn(page, url);
  await page.getByRole('button', { name: 'Review' }).click();
  await title(page).waitFor();
}

/** Run an action, wait until another song is shown, and return its title. */
async function next(page, act) {
  const before = await title(page).innerText();
  await act();
  await page.waitForFunction(
    (old) => document.querySelector('.review-song h3')?.innerText !== old, before);
  return title(page).innerText();
}

export async function reviewByKeys({ url, file, first }) {
  const permissions = ['clipboard-read', 'clipboard-write'];
  await inBrowser(url, { ...DESKTOP, permissions }, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    await settled(page);
    await page.getByRole('button', { name: 'Review' }).click();
    await title(page).waitFor();
    equal((await shown(page)).get('view'), 'review', 'the view in the address');
    equal(await title(page).innerText(), first, 'the least confident song');
    await counter(page, '0 verified now, 0 in total');
    await checkAccessible(page);

    // ten keys: accept, another genre, skip, undo
    const second = await next(page, () => page.keyboard.press('Space'));
    await counter(page, '1 verified now, 1 in total');
    const third = await next(page, () => page.keyboard.press('2'));
    await next(page, () => page.keyboard.press('s'));
    equal(await next(page, () => page.keyboard.press('z')), third, 'the skipped song again');
    equal(await next(page, () => page.keyboard.press('Backspace')), second, 'the verified song again');
    await counter(page, '1 verified now, 1 in total');
    for (const key of ['2', 'Enter', '1', '3', ' ']) await next(page, () => page.keyboard.press(key));
    await counter(page, '6 verified now, 6 in total');
    await page.getByText(/right for \d+% of 6 verified songs \(95% interval \d+–\d+%\)/).waitFor();

    // a genre that the model does not know
    await page.keyboard.press('o');
    await page.keyboard.type('polka');
    await next(page, () => page.keyboard.press('Enter'));
    await counter(page, '7 verified now, 7 in total');
    await page.getByText('By confidence and by genre').click();
    await page.locator('.review-accuracy').getByRole('rowheader', { name: 'polka' }).waitFor();
    await checkAccessible(page);
    await screenshot(page, 'page-review-desktop');

    // what happens next
    const note = page.locator('.review-next');
    await note.getByText('3 songs to go').waitFor();
    await note.getByText('genregraph learn', { exact: true }).waitFor();
    await note.getByRole('button', { name: 'Copy commands' }).click();
    await note.getByRole('status').getByText('Copied').waitFor();
    equal((await page.evaluate(() => navigator.clipboard.readText())).trim().split('\n'), [
      'genregraph learn --out learned-model',
      'GENREGRAPH_MODEL_DIR=learned-model genregraph serve',
      'genregraph reclassify --all',
    ], 'commands');

    // the Songs view counts verified songs
    await page.getByRole('button', { name: 'Songs', exact: true }).click();
    await page.getByLabel('Songs of').selectOption('All stored songs');
    await page.getByRole('button', { name: /^polka 1 song/ }).click();
    await page.locator('.list .link').first().click();
    await page.getByRole('dialog').getByText('verified', { exact: true }).waitFor();
    await checkAccessible(page);
  });
}

export async function reviewByThumb({ url }) {
  await inBrowser(url, PHONE, async (page) => {
    await openReview(page, url);
    await checkAccessible(page);
    await checkTouchTargets(page);
    equal(await page.locator('.review kbd:visible').count(), 0, 'keys shown on a phone');
    const accept = page.getByRole('button', { name: /^Yes, / });
    const first = await title(page).innerText();
    await next(page, () => accept.tap());
    await next(page, () => page.locator('.review-choices button').nth(2).tap());
    await counter(page, '2 verified now, 2 in total');
    await next(page, () => page.getByRole('button', { name: 'Undo' }).tap());
    equal(await next(page, () => page.getByRole('button', { name: 'Undo' }).tap()), first, 'the first song');
    await counter(page, '0 verified now, 0 in total');
    // everything fits on the screen
    for (const button of [accept, page.getByRole('button', { name: 'Skip' })]) {
      const box = await button.boundingBox();
      if (!box || box.y < 0 || box.y + box.height > PHONE.viewport.height) throw new Error('not on the screen');
    }
    await screenshot(page, 'page-review-phone');
  });
}

export async function reviewByReader({ url }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await openReview(page, url);
    const first = await title(page).innerText();
    await page.keyboard.press('Space');
    await page.getByRole('alert').getByText('requires the writer role').waitFor();
    equal(await title(page).innerText(), first, 'the song that could not be verified');
    await counter(page, '0 verified now, 0 in total');
  }, { allowed: REFUSED_REQUEST });
}

export async function reviewToTheEnd({ url, songs }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await openReview(page, url);
    for (let number = 1; number < songs; number++) await next(page, () => page.keyboard.press('1'));
    await page.keyboard.press('1');
    await page.getByText('Nothing left to review.').waitFor();
    await counter(page, `${songs} verified now, ${songs} in total`);
    await page.keyboard.press('z');
    await title(page).waitFor();
    await counter(page, `${songs - 1} verified now, ${songs - 1} in total`);
  });
}

/** Give songs of one genre another genre, and accept songs of other genres, with one key each. */
export async function tenKeys({ url, file, wrong, right, corrected, accepted }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await upload(page, file);
    await page.getByRole('button', { name: 'Review' }).click();
    const genre = page.locator('.review-choices .accept .review-genre');
    await page.getByLabel('Songs of').selectOption(wrong);
    await genre.getByText(`Yes, ${wrong}`).waitFor();
    await checkAccessible(page);
    for (let number = 0; number < corrected; number++) {
      const choice = page.locator('.review-choices button').filter({ hasText: right });
      const key = await choice.locator('kbd').innerText();
      await next(page, () => page.keyboard.press(key));
    }
    const note = page.locator('.review-next');
    await note.getByText(`${accepted} songs to go`).waitFor();
    await page.getByLabel('Songs of').selectOption('all genres');
    for (let number = 0; number < accepted; number++) {
      while ((await genre.innerText()) === `Yes, ${wrong}`) await next(page, () => page.keyboard.press('s'));
      await next(page, () => page.keyboard.press('Space'));
    }
    await counter(page, `${corrected + accepted} verified now, ${corrected + accepted} in total`);
    await note.getByText('The model can learn from these songs now').waitFor();
  });
}

export async function newModel({ url, version }) {
  await inBrowser(url, DESKTOP, async (page) => {
    await signIn(page, url);
    await page.getByText(`Model ${version}`).waitFor();
    await page.locator('.list .link').first().click();
    await page.getByRole('dialog').getByText(version).waitFor();
  });
}
