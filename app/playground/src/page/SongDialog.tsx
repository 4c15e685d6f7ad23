import { finePercent, percent, when } from '../shared/format';
import { execute } from './api';
import { Dialog } from './Dialog';
import { SongDocument } from './operations.generated';
import { genreClass } from './palette';
import { useRequest } from './useRequest';

interface Props {
  trackId: string;
  order: readonly string[];
  onClose: () => void;
}

/** One song: how likely each genre is, and where that comes from. */
export function SongDialog({ trackId, order, onClose }: Props) {
  const { value, failure } = useRequest(trackId, (signal) =>
    execute(SongDocument, { trackId }, { signal }),
  );
  const song = value?.song;
  return (
    <Dialog
      title={song ? song.title || '(no title)' : 'Song'}
      onClose={onClose}
      focusElse="songs-title" // the list may have been read anew meanwhile
    >
      {failure && (
        <p className="notice bad" role="alert">
          {failure.message}
        </p>
      )}
      {value && !song && <p>This song is not stored any more.</p>}
      {!value && !failure && <p className="quiet">A moment, please …</p>}
      {song && (
        <>
          <p>
            <strong>{song.genre.name}</strong> with {percent(song.confidence)} confidence
            {!song.confident && song.batch && (
              <>
                {' '}
                <span className="tag">uncertain</span>, below the{' '}
                {percent(song.batch.minConfidence)} asked for
              </>
            )}
          </p>
          <table className="probabilities">
            <caption className="unseen">How likely each genre is</caption>
            <thead className="unseen">
              <tr>
                <th scope="col">Genre</th>
                <th scope="col">Probability</th>
              </tr>
            </thead>
            <tbody>
              {song.probabilities.map(({ genre, probability }) => (
                <tr key={genre}>
                  <th scope="row" className="probability-of">
                    {genre}
                  </th>
                  <td>
                    <span className="meter" aria-hidden="true">
                      <span
                        className={genreClass(genre, order)}
                        style={{ width: `${probability * 100}%` }}
                      />
                    </span>
                    <span className="number">{finePercent(probability)}</span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <dl className="details">
            <dt>Track id</dt>
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
      )}
    </Dialog>
  );
}
