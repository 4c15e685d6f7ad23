import { useEffect, useMemo, useRef, useState } from 'react';
import type { Configuration } from '../shared/configuration';
import { credentials } from '../shared/credentials';
import type { Failure } from '../shared/failure';
import { useStore } from '../shared/store';
import { Activity } from './Activity';
import { execute } from './api';
import { sender } from './classify';
import { FilesView } from './FilesView';
import { hadSongs, rememberSongs } from './hadSongs';
import { ModelNote, Steps } from './Introduction';
import { OverviewDocument, type OverviewQuery } from './operations.generated';
import { ReviewView } from './ReviewView';
import { EVERYTHING, go, route } from './route';
import { ClientDialog, SignIn } from './SignIn';
import { Skeleton } from './SongList';
import { SongsView } from './SongsView';
import { Toasts } from './Toasts';
import { TopBar } from './TopBar';
import { toasts } from './toasts';
import { UploadCard } from './UploadCard';
import { UploadQueue } from './uploadQueue';
import { useBatches } from './useBatches';
import { useChanges } from './useChanges';
import { useRequest } from './useRequest';

const MORE_FILES = 20;
const MAX_FILES = 500;

/** The page. */
export function App({ configuration }: { configuration: Configuration }) {
  const client = useStore(credentials);
  const shown = useStore(route);
  const [asking, setAsking] = useState(false);
  const [changes, setChanges] = useState(0);
  const [files, setFiles] = useState(MORE_FILES);
  const queue = useMemo(
    () => new UploadQueue(sender(configuration.maxUploadBytes)),
    [configuration.maxUploadBytes],
  );
  useEffect(() => {
    const ask = (event: BeforeUnloadEvent) => {
      if (queue.isBusy()) event.preventDefault();
    };
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  }, [queue]);
  const clientKey = client ? String(client.signIn) : '';
  const revision = `${clientKey} ${changes}`;
  const overview = useRequest(`${revision} ${files}`, async (signal) =>
    client ? { client, data: await execute(OverviewDocument, { files }, { signal }) } : null,
  );
  const accessDenied = overview.failure?.kind === 'unauthenticated';
  // Keep the data after a failed refresh, but never show it to another client.
  const last = useRef<{ client: typeof client; data: OverviewQuery } | null>(null);
  if (overview.value) last.current = overview.value;
  const known = !accessDenied && last.current?.client === client ? last.current.data : null;
  const refresh = () => setChanges((last) => last + 1);
  const onFailure = (failure: Failure) => {
    if (failure.kind === 'unauthenticated') setAsking(true);
  };
  const { unfinished, followed, arrived, accept } = useBatches({
    queue,
    listed: known?.batches.nodes ?? [],
    clientKey,
    onChange: refresh,
    onFailure,
  });
  const current = overview.loading || overview.failure ? null : known;
  // A refresh would change the order of a review in progress.
  useChanges(shown.view === 'review' ? null : current, files, refresh);
  const signedIn = client !== null && !accessDenied;
  const anySongs = known ? known.genres.length > 0 : signedIn && hadSongs();
  const before = useRef(client?.clientId);
  useEffect(() => {
    const changed = before.current && before.current !== client?.clientId;
    before.current = client?.clientId;
    if (!client) queue.clear();
    if (!changed) return;
    // Toasts and the URL refer to files of the previous client.
    toasts.set([]);
    go({ ...EVERYTHING, view: route.get().view }, { replace: true });
  }, [client, queue]);
  useEffect(() => {
    if (known) rememberSongs(known.genres.length > 0);
  }, [known]);
  const small = signedIn && (anySongs || shown.view !== 'songs');
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <TopBar
        shown={shown}
        unfinished={unfinished.length}
        client={signedIn ? client : null}
        onClient={() => setAsking(true)}
      />
      <main id="main" tabIndex={-1}>
        <div className={`intro ${small ? 'small' : ''}`}>
          <h1>Your songs, by genre</h1>
          <p className="tagline">
            Drop a file of songs to see each one’s genre, and how confident the model is.
          </p>
        </div>
        {!signedIn ? (
          <SignIn failure={accessDenied ? overview.failure : null} />
        ) : (
          <>
            {known && shown.view === 'review' && (
              <ReviewView overview={known} clientKey={clientKey} onVerified={refresh} />
            )}
            <UploadCard queue={queue} small={small}>
              {/* The Files view shows their progress itself. */}
              <Activity
                queue={queue}
                unfinished={shown.view === 'files' ? [] : unfinished}
                followed={followed}
              />
            </UploadCard>
            {overview.failure && (
              <div className="notice bad" role="alert">
                <p>{overview.failure.message}</p>
                <button type="button" className="secondary" onClick={refresh}>
                  Try again
                </button>
              </div>
            )}
            {!known && overview.loading && (
              <div className="card">
                <Skeleton />
              </div>
            )}
            {known && shown.view === 'files' && (
              <FilesView
                files={known.batches.nodes}
                followed={followed}
                loading={overview.loading}
                onAccepted={accept}
                onChange={refresh}
                onMore={
                  known.batches.pageInfo.hasNextPage && files < MAX_FILES
                    ? () => setFiles(files + MORE_FILES)
                    : null
                }
              />
            )}
            {known && shown.view === 'songs' && !anySongs && <Steps />}
            {known && shown.view === 'songs' && anySongs && (
              <SongsView
                overview={known}
                shown={shown}
                revision={revision}
                arrived={arrived}
                onDeleted={refresh}
              />
            )}
          </>
        )}
      </main>
      {known && <ModelNote model={known.model} version={configuration.version} />}
      <Toasts />
      {asking && <ClientDialog onClose={() => setAsking(false)} />}
    </>
  );
}
