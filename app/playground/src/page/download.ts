/** Downloads: the results of batches, and a template. */

import { fetchFile } from '../shared/transport';
import { BYTE_ORDER_MARK } from './csv';

export const FORMATS = [
  { extension: 'csv', label: 'CSV' },
  { extension: 'jsonl', label: 'JSON Lines' },
  { extension: 'parquet', label: 'Parquet' },
] as const;

export type Extension = (typeof FORMATS)[number]['extension'];

const SAMPLE = 'assets/songs.csv';

export const SAMPLE_NAME = 'sample-songs.csv';

/** Lines of the sample in the template: its header and two songs. */
const TEMPLATE_LINES = 3;

export function fileUrl(batchId: string, extension: Extension): string {
  const path = `batches/${encodeURIComponent(batchId)}/songs.${extension}`;
  return new URL(path, document.baseURI).href;
}

/**
 * Save the results of a batch.
 *
 * @throws Failure if they do not exist; an AbortError if the signal is aborted.
 */
export async function downloadBatch(
  batch: { id: string; fileName: string | null },
  extension: Extension,
  signal: AbortSignal,
): Promise<void> {
  const blob = await fetchFile(fileUrl(batch.id, extension), signal);
  const stem = (batch.fileName ?? 'songs').replace(/\.[^.]*$/, '') || 'songs';
  // Excel needs a byte-order mark to read accents.
  saveFile(`${stem}-genres.${extension}`, ...(extension === 'csv' ? [BYTE_ORDER_MARK] : []), blob);
}

export async function sampleSongs(): Promise<File> {
  const response = await fetch(new URL(SAMPLE, document.baseURI));
  return new File([await response.blob()], SAMPLE_NAME, { type: 'text/csv' });
}

/** Save a template with all columns and two songs. */
export async function downloadTemplate(): Promise<void> {
  const text = await (await sampleSongs()).text();
  saveFile('song-template.csv', `${text.split('\n').slice(0, TEMPLATE_LINES).join('\n')}\n`);
}

export function saveFile(name: string, ...parts: Array<string | Blob>): void {
  const url = URL.createObjectURL(new Blob(parts));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
