import { useEffect, useRef } from 'react';
import { execute } from './api';
import { isUnfinished } from './followBatch';
import { ChangesDocument, type ChangesQuery } from './operations.generated';

const INTERVAL_MS = 4000;

/**
 * Detect changes made elsewhere: in another tab, by a script or by a colleague with the same client.
 *
 * Polls with a small query every few seconds and when the page regains the focus, but not in a hidden
 * tab.
 *
 * @param known the data shown; null to stop polling.
 * @param files the number of batches shown.
 * @param onChange called when the service's data differs from what is shown.
 */
export function useChanges(known: ChangesQuery | null, files: number, onChange: () => void): void {
  const latest = useRef(onChange);
  latest.current = onChange;
  useEffect(() => {
    if (!known) return;
    const controller = new AbortController();
    const { signal } = controller;
    let checking = false;
    async function check(shown: ChangesQuery) {
      // A refresh could remove the file that a dialog belongs to.
      if (checking || document.hidden || document.querySelector('dialog[open]')) return;
      checking = true;
      try {
        const now = await execute(ChangesDocument, { files }, { signal });
        if (!signal.aborted && signature(now) !== signature(shown)) latest.current();
      } catch {
        // Retried at the next interval; the next action reports the failure.
      } finally {
        checking = false;
      }
    }
    const checkNow = () => void check(known);
    const timer = setInterval(checkNow, INTERVAL_MS);
    document.addEventListener('visibilitychange', checkNow, { signal });
    addEventListener('focus', checkNow, { signal });
    return () => {
      clearInterval(timer);
      controller.abort();
    };
  }, [known, files]);
}

/** Return a string that differs if the page would. The progress of batches is followed separately. */
export function signature({ genres, batches }: ChangesQuery): string {
  return JSON.stringify([
    genres.map(({ name, songCount }) => [name, songCount]),
    batches.nodes.map((batch) => [
      batch.id,
      isUnfinished(batch) ? '' : batch.status,
      batch.songsSuperseded,
    ]),
  ]);
}
