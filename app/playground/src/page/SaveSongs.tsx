import { useEffect, useRef, useState } from 'react';
import { counted } from '../shared/format';
import { songsCsv } from './csv';
import { downloadBatch, saveFile } from './download';
import type { Route } from './route';
import { allSongs, type SongRow, wholeBatch } from './songs';
import { asFailure } from './useRequest';

interface Props {
  shown: Route;
  /** The songs of the list; null unless all are in memory. */
  all: readonly SongRow[] | null;
  total: number | null;
}

/** Saves the list as a CSV file: a whole batch by its download, other lists from their songs. */
export function SaveSongs({ shown, all, total }: Props) {
  const list = JSON.stringify({ ...shown, song: null });
  const [noted, setNoted] = useState({ list, text: '' });
  const [busy, setBusy] = useState(false);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);
  async function save() {
    const controller = new AbortController();
    const { signal } = controller;
    const setNote = (text: string) => setNoted({ list, text });
    stop.current = controller;
    setBusy(true);
    try {
      const batchId = wholeBatch(shown);
      if (batchId) {
        setNote('Downloading…');
        await downloadBatch({ id: batchId, fileName: null }, 'csv', signal);
      } else {
        const progress = (done: number) => setNote(`${counted(done, 'song')} read`);
        const songs = all ?? (await allSongs(shown, progress, signal));
        saveFile(`${(shown.genre ?? 'songs').replaceAll(' ', '-')}.csv`, songsCsv(songs));
      }
      setNote(`${counted(total ?? 0, 'song')} saved`);
    } catch (error) {
      setNote(asFailure(error).message);
    } finally {
      setBusy(false);
    }
  }

  return (
    <div className="download">
      <span className="quiet" role="status">
        {noted.list === list && noted.text}
      </span>
      <button type="button" className="secondary" disabled={busy || !total} onClick={save}>
        Download CSV
      </button>
    </div>
  );
}
