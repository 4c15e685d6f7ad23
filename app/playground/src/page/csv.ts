/** Songs as a CSV file that is safe to open in spreadsheets. */

import type { SongRow } from './songs';

const COLUMNS: ReadonlyArray<[name: string, cell: (song: SongRow) => string]> = [
  ['trackID', (song) => song.trackId],
  ['title', (song) => song.title],
  ['genre', (song) => song.genre.name],
  ['confidence', (song) => song.confidence.toFixed(4)],
  ['confident', (song) => String(song.confident)],
  ['modelVersion', (song) => song.modelVersion],
  ['classifiedAt', (song) => song.classifiedAt],
];

/**
 * A spreadsheet treats a cell that starts with one of these as a formula, also after skipping a tab or
 * line break; an apostrophe in front makes it text. See OWASP, "CSV Injection".
 */
const FORMULA_START = /^[=+\-@\t\r\n＝＋－＠]/;

export function csvCell(text: string): string {
  const safe = FORMULA_START.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Excel needs a byte-order mark to read accents. */
export const BYTE_ORDER_MARK = '\uFEFF';

/** Return the text of the file. */
export function songsCsv(songs: readonly SongRow[]): string {
  const lines = [
    COLUMNS.map(([name]) => name),
    ...songs.map((song) => COLUMNS.map(([, cell]) => csvCell(cell(song)))),
  ];
  return `${BYTE_ORDER_MARK}${lines.map((line) => `${line.join(',')}\r\n`).join('')}`;
}
