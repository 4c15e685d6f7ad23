import { useEffect, useState } from 'react';
import { count, finePercent, percent, when } from '../shared/format';
import { execute } from './api';
import { Dialog } from './Dialog';
import { SongDocument, type SongQuery } from './operations.generated';
import { genreClass } from './palette';
import { go } from './route';
import { Skeleton } from './SongList';
import { useRequest } from './useRequest';

interface Props {
  trackId: string;
  /** The batch whose songs are listed; null for all stored songs. */
  file: string | null;
  /** Track IDs of the listed songs, in order. */
  neighbours: readonly string[];
  order: readonly string[];
}

type Song = NonNullable<SongQuery['song']>;

/** A song: the probability of each genre, the explanation, and the batch. */
export function SongDialog({ trackId, file, neighbours, order }: Props) {
  const [attempts, setAttempts] = useState(0);
  const { value, failure, loading } = useRequest(`${trackId} ${attempts}`, (signal) =>
    execute(SongDocument, { trackId }, { signal }),
  );
  const song = value?.song;
  const place = neighbours.indexOf(trackId);
  const previous = place > 0 ? neighbours[place - 1] : undefined;
  const next = place >= 0 ? neighbours[place + 1] : undefined;
  const open = (id: string | undefined) => id && go({ song: id }, { replace: true });

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key === 'ArrowLeft') open(previous);
      if (event.key === 'ArrowRight') open(next);
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  });

  return (
    <Dialog
      title={song ? song.title || '(no title)' : 'Song'}
      onClose={() => go({ song: null })}
      focusElse="songs-title" // the list may have been reloaded
    >
      {place >= 0 && (
        <nav className="pages" aria-label="Songs of the list">
          <button
            type="button"
            className="secondary"
            disabled={!previous}
            onClick={() => open(previous)}
          >
            Previous
          </button>
          <span className="quiet number">
            {count(place + 1)} of {count(neighbours.length)}
          </span>
          <button type="button" className="secondary" disabled={!next} onClick={() => open(next)}>
            Next
          </button>
        </nav>
      )}
      {failure && (
        <div className="notice bad" role="alert">
          <p>{failure.message}</p>
          <button type="button" className="secondary" onClick={() => setAttempts(attempts + 1)}>
            Try again
          </button>
        </div>
      )}
      {value && !song && !loading && <p>This song is no longer stored.</p>}
      {!value && !failure && <Skeleton />}
      {/* The previous song stays visible, faded, while this one loads. */}
      <div className="song" aria-busy={loading}>
        {song && file && song.batch?.id !== file && (
          <p className="notice plain">
            This song was classified again later
            {song.batch?.fileName && `, in ${song.batch.fileName}`}. This is the latest result; the
            list and downloads show this file’s own results.
          </p>
        )}
        {song && <SongDetails song={song} order={order} />}
      </div>
    </Dialog>
  );
}

function SongDetails({ song, order }: { song: Song; order: readonly string[] }) {
  return (
    <>
      <p>
        {song.verifiedGenre && (
          <>
            <strong>{song.verifiedGenre.name}</strong> <span className="tag">verified</span>. The
            model’s prediction:{' '}
          </>
        )}
        <strong>{song.predictedGenre.name}</strong> with {percent(song.confidence)} confidence
        {!song.confident && song.batch && (
          <>
            {' '}
            <span className="tag">uncertain</span>, below the threshold of{' '}
            {percent(song.batch.minConfidence)}
          </>
        )}
      </p>
      <table className="probabilities">
        <caption className="unseen">Probability of each genre</caption>
        <thead className="unseen">
          <tr>
            <th scope="col">Genre</th>
            <th scope="col">Probability</th>
          </tr>
        </thead>
        <tbody>
          {song.probabilities.map(({ genre, probability }) => (
            <tr key={genre} className={genreClass(genre, order)}>
              <th scope="row">{genre}</th>
              <td className="number">{finePercent(probability)}</td>
              <td className="bar-cell" aria-hidden="true">
                <span className="meter">
                  <span className="fill" style={{ width: `${probability * 100}%` }} />
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <Why song={song} />
      <dl className="details">
        <dt>Track ID</dt>
        <dd>{song.trackId}</dd>
        {song.batch?.fileName && (
          <>
            <dt>File</dt>
            <dd>{song.batch.fileName}</dd>
          </>
        )}
        <dt>Classified</dt>
        <dd>{when(song.classifiedAt)}</dd>
        <dt>Model</dt>
        <dd>{song.modelVersion}</dd>
      </dl>
    </>
  );
}

/** The reasons for and against the genre, in words. */
function Why({ song }: { song: Song }) {
  return (
    <section aria-labelledby="why-title">
      <h3 id="why-title">Why {song.predictedGenre.name}?</h3>
      {song.explanation?.length ? (
        <ul className="why">
          {song.explanation.map(({ text, contribution }) => (
            <li key={text} className={contribution < 0 ? 'against' : 'for'}>
              {text}
            </li>
          ))}
        </ul>
      ) : (
        <p className="quiet">
          There is no explanation: another model classified this song, or its features were not
          kept.
        </p>
      )}
    </section>
  );
}
