import { counted, portion, when } from '../shared/format';
import { nameOf } from './files';
import type { OverviewQuery } from './operations.generated';
import { genreClass } from './palette';
import { go, NO_FILTERS } from './route';

type Batch = OverviewQuery['batches']['nodes'][number];

const SHOWN = 10;

/** The genre shares of the latest batches, newest first; each opens its batch. */
export function GenreHistory({
  batches,
  order,
}: {
  batches: readonly Batch[];
  order: readonly string[];
}) {
  const classified = batches.filter((batch) => batch.rowsClassified > 0).slice(0, SHOWN);
  if (classified.length < 2) return null;
  return (
    <details className="history">
      <summary>Genres over batches</summary>
      <ol>
        {classified.map((batch) => (
          <li key={batch.id}>
            <button
              type="button"
              className="link"
              onClick={() => go({ ...NO_FILTERS, file: batch.id })}
            >
              {nameOf(batch)}
            </button>{' '}
            <span className="quiet">{when(batch.createdAt)}</span>
            <span className="stack" role="img" aria-label={inWords(batch)}>
              {batch.genres.map(({ genre, songCount }) => (
                <span
                  key={genre.name}
                  className={`fill ${genreClass(genre.name, order)}`}
                  style={{ flexGrow: songCount }}
                  title={`${genre.name}: ${counted(songCount, 'song')}, ${share(batch, songCount)}`}
                />
              ))}
            </span>
          </li>
        ))}
      </ol>
    </details>
  );
}

const share = (batch: Batch, songs: number) => portion(songs / batch.rowsClassified);

const inWords = (batch: Batch) =>
  [...batch.genres]
    .sort((a, b) => b.songCount - a.songCount)
    .map(({ genre, songCount }) => `${genre.name} ${share(batch, songCount)}`)
    .join(', ');
