import { useEffect, useRef, useState } from 'react';
import { CredentialsForm } from '../shared/CredentialsForm';
import type { Configuration } from '../shared/configuration';
import { credentials } from '../shared/credentials';
import type { Failure } from '../shared/failure';
import { count, counted, percent, when } from '../shared/format';
import { useStore } from '../shared/store';
import { execute } from './api';
import { BatchSummary } from './BatchSummary';
import { Dialog } from './Dialog';
import { GenreChart } from './GenreChart';
import {
  BatchDocument,
  type BatchFragment,
  OverviewDocument,
  type OverviewQuery,
} from './operations.generated';
import { SongDialog } from './SongDialog';
import { SongList } from './SongList';
import { Upload } from './Upload';
import { useRequest } from './useRequest';

/** The whole page. */
export function App({ configuration }: { configuration: Configuration }) {
  const client = useStore(credentials);
  const [asking, setAsking] = useState(false);
  const [revision, setRevision] = useState(0);
  const [batchId, setBatchId] = useState<string | null>(null);
  const [genre, setGenre] = useState<string | null>(null);
  const [trackId, setTrackId] = useState<string | null>(null);
  const [arrived, setArrived] = useState<string | null>(null);

  const clientKey = client ? `${client.clientId}:${client.clientSecret}` : '';
  const overview = useRequest(`${clientKey} ${revision}`, async (signal) =>
    client ? execute(OverviewDocument, {}, { signal }) : null,
  );
  const batch = useRequest(`${clientKey} ${batchId} ${revision}`, async (signal) =>
    batchId ? (await execute(BatchDocument, { id: batchId }, { signal })).batch : null,
  );
  const known = overview.value;
  const notLetIn = overview.failure?.kind === 'unauthenticated';

  function show(stored: BatchFragment) {
    setBatchId(stored.id);
    setArrived(stored.id);
    setGenre(null);
    setRevision((last) => last + 1);
  }

  function noteFailure(failure: Failure) {
    if (failure.kind === 'unauthenticated') setAsking(true);
  }

  return (
    <>
      <header className="top">
        <a className="brand" href="./" aria-label="genregraph, start">
          <img src="icon.svg" alt="" width="32" height="32" /> genregraph
        </a>
        <nav aria-label="More">
          <a href="graphql">
            <span className="wide">API </span>playground
          </a>
          <button type="button" className="secondary" onClick={() => setAsking(true)}>
            {client ? (
              <>
                <span className="wide">Client </span>
                <strong>{client.clientId}</strong>
                <span className="unseen">: change the credentials</span>
              </>
            ) : (
              'Credentials'
            )}
          </button>
        </nav>
      </header>
      <main>
        <div className={`intro ${known?.genres.length ? 'small' : ''}`}>
          <h1>Your songs, by genre</h1>
          <p className="tagline">
            Drop a file of songs. Each one’s genre is predicted, stored and yours to explore here.
          </p>
        </div>
        {!client || notLetIn ? (
          <section className="card sign-in" aria-labelledby="sign-in-title">
            <h2 id="sign-in-title">Who are you?</h2>
            <p>
              Enter the client id and secret that you were given. They are kept in this browser tab
              only.
            </p>
            {notLetIn && (
              <p className="notice bad" role="alert">
                {overview.failure?.message}
              </p>
            )}
            <CredentialsForm submitLabel="Continue" />
          </section>
        ) : (
          <>
            <Upload
              configuration={configuration}
              small={Boolean(known?.genres.length)}
              onBatch={show}
              onFailure={noteFailure}
            />
            {known?.genres.length === 0 && <Steps />}
            {overview.failure && (
              <div className="notice bad" role="alert">
                <p>{overview.failure.message}</p>
                <button
                  type="button"
                  className="secondary"
                  onClick={() => setRevision((last) => last + 1)}
                >
                  Try again
                </button>
              </div>
            )}
            {known && known.genres.length > 0 && (
              <Results
                overview={known}
                batch={batch.value?.id === batchId ? batch.value : null}
                failure={batch.failure}
                batchId={batchId}
                genre={genre}
                revision={revision}
                arrived={arrived}
                onBatchId={(id) => {
                  setBatchId(id);
                  setGenre(null);
                }}
                onGenre={setGenre}
                onOpen={setTrackId}
              />
            )}
          </>
        )}
      </main>
      {known && <ModelNote model={known.model} version={configuration.version} />}
      {trackId && (
        <SongDialog
          trackId={trackId}
          order={known?.model.genres ?? []}
          onClose={() => setTrackId(null)}
        />
      )}
      {asking && (
        <Dialog title="Credentials" onClose={() => setAsking(false)}>
          <p>They are kept in this browser tab only and sent with each request.</p>
          <CredentialsForm submitLabel="Use these" onDone={() => setAsking(false)} />
        </Dialog>
      )}
    </>
  );
}

interface ResultsProps {
  overview: OverviewQuery;
  batch: BatchFragment | null;
  failure: Failure | null;
  batchId: string | null;
  genre: string | null;
  revision: number;
  /** The batch that was uploaded last, to which the reader is led. */
  arrived: string | null;
  onBatchId: (id: string | null) => void;
  onGenre: (genre: string | null) => void;
  onOpen: (trackId: string) => void;
}

/** The genres of all songs or of one file, and the songs themselves. */
function Results(props: ResultsProps) {
  const { overview, batch, batchId, genre, arrived } = props;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (arrived && arrived === batch?.id) heading.current?.focus();
  }, [arrived, batch?.id]);
  const order = overview.model.genres;
  const genres = batchId
    ? (batch?.genres ?? []).map((part) => ({ name: part.genre.name, songCount: part.songCount }))
    : overview.genres;
  const files = overview.batches.nodes.filter((one) => one.status === 'SUCCEEDED');
  return (
    <div className="results">
      <section className="card genres" aria-labelledby="genres-title">
        <header>
          <h2 className="card-title" id="genres-title" tabIndex={-1} ref={heading}>
            Genres
          </h2>
          <select
            aria-label="Songs of"
            value={batchId ?? ''}
            onChange={(event) => props.onBatchId(event.target.value || null)}
          >
            <option value="">All stored songs</option>
            {files.map((file) => (
              <option key={file.id} value={file.id}>
                {file.fileName ?? 'Sent as JSON'}, {when(file.createdAt)} (
                {counted(file.rowsClassified, 'song')})
              </option>
            ))}
          </select>
        </header>
        {props.failure && (
          <p className="notice bad" role="alert">
            {props.failure.message}
          </p>
        )}
        <div aria-live="polite">{batch && <BatchSummary batch={batch} />}</div>
        {genres.length > 0 && (
          <GenreChart genres={genres} order={order} selected={genre} onSelect={props.onGenre} />
        )}
      </section>
      <SongList
        batchId={batchId}
        genre={genre}
        order={order}
        revision={props.revision}
        onOpen={props.onOpen}
      />
    </div>
  );
}

/** What will happen, for whoever comes first. */
function Steps() {
  return (
    <ol className="steps">
      <li>
        <strong>Drop a file</strong> One row for each song: its sound in numbers and the words of
        its lyrics.
      </li>
      <li>
        <strong>See the genres</strong> Each song gets its most likely genre, and how sure the model
        is of it.
      </li>
      <li>
        <strong>Look closer</strong> Open a genre, search its songs, compare the probabilities, take
        them with you as CSV.
      </li>
    </ol>
  );
}

/** How far to trust the genres: the model's own scores, on artists it had not heard. */
function ModelNote({ model, version }: { model: OverviewQuery['model']; version: string }) {
  return (
    <footer className="bottom">
      <p>
        A prediction, not a fact: the model was trained on {count(model.trainingSongs)} songs and
        finds the right one of {model.genres.length} genres for {percent(model.groupedAccuracy)} of
        the songs of artists it has not heard.
      </p>
      <p className="quiet">
        Model {model.version} · genregraph {version}
      </p>
    </footer>
  );
}
