/** Files for the reader to keep: those that the service streams, and a short template. */

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

/** Lines of the sample that the template keeps: its header and two songs. */
const TEMPLATE_LINES = 3;

export function fileUrl(batchId: string, extension: Extension): string {
  const path = `batches/${encodeURIComponent(batchId)}/songs.${extension}`;
  return new URL(path, document.baseURI).href;
}

/**
 * Save what a batch answered, as the service streams it.
 *
 * @throws Failure when there is no such file; an AbortError when the signal says stop.
 */
export async function downloadBatch(
  batch: { id: string; fileName: string | null },
  extension: Extension,
  signal: AbortSignal,
): Promise<void> {
  const blob = await fetchFile(fileUrl(batch.id, extension), signal);
  const stem = (batch.fileName ?? 'songs').replace(/\.[^.]*$/, '') || 'songs';
  // Without a byte-order mark Excel misreads accents.
  saveFile(`${stem}-genres.${extension}`, ...(extension === 'csv' ? [BYTE_ORDER_MARK] : []), blob);
}

export async function sampleSongs(): Promise<File> {
  const response = await fetch(new URL(SAMPLE, document.baseURI));
  return new File([await response.blob()], SAMPLE_NAME, { type: 'text/csv' });
}

/** A file with all columns and two songs, to fill in. */
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
