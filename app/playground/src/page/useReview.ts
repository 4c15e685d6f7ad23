import { useEffect, useRef, useState } from 'react';
import { credentialHeaders, credentials } from '../shared/credentials';
import { Failure } from '../shared/failure';
import { execute } from './api';
import {
  ReviewSongsDocument,
  VerifiedAccuracyDocument,
  type VerifiedAccuracyQuery,
  VerifySongsDocument,
} from './operations.generated';
import { type ReviewSong, reviewOrder } from './review';
import { asFailure, useRequest } from './useRequest';

interface Step {
  song: ReviewSong;
  /** The verified genre; null if the song was skipped. */
  genre: string | null;
}

export interface Review {
  /** The song to verify; null if there is none, or while loading. */
  song: ReviewSong | null;
  loading: boolean;
  /** Number of songs verified in this session. */
  verified: number;
  accuracy: VerifiedAccuracyQuery['accuracyOnVerified'] | null;
  failure: Failure | null;
  verify: (genre: string) => void;
  skip: () => void;
  /** Undo the last step; null if there is none. */
  undo: (() => void) | null;
}

/**
 * The review queue and its steps. The next song appears immediately; verifications are sent in order, and
 * a song whose verification fails returns to the queue.
 */
export function useReview(genres: readonly string[], clientKey: string): Review {
  const [steps, setSteps] = useState<readonly Step[]>([]);
  // Songs that returned; they may be missing in a queue fetched later.
  const [returned, setReturned] = useState<readonly ReviewSong[]>([]);
  const [fetches, setFetches] = useState(0);
  const [sent, setSent] = useState(0);
  const [failure, setFailure] = useState<Failure | null>(null);
  const sending = useRef<Promise<void>>(Promise.resolve());
  const queue = useRequest(`${clientKey} ${fetches} ${genres}`, async (signal) => {
    await sending.current; // otherwise the reply would include songs that are being verified
    const lists = genres.map(async (genre) => {
      return (await execute(ReviewSongsDocument, { genre }, { signal })).songs.nodes;
    });
    return reviewOrder(await Promise.all(lists));
  });
  const accuracy = useRequest(`${clientKey} ${sent}`, async (signal) => {
    return (await execute(VerifiedAccuracyDocument, {}, { signal })).accuracyOnVerified;
  });
  const done = new Set(steps.map(({ song }) => song.trackId));
  const left = [...returned, ...(queue.value ?? [])].filter(({ trackId }) => !done.has(trackId));
  const song = left[0] ?? null;
  const anyVerified = steps.some(({ genre }) => genre !== null);
  const exhausted = !queue.loading && !queue.failure && song === null && anyVerified;
  const fetchedAt = useRef(0);

  // Fetch more at the end of the queue, until a fetch returns nothing new.
  useEffect(() => {
    if (exhausted && fetchedAt.current < steps.length) {
      fetchedAt.current = steps.length;
      setFetches((last) => last + 1);
    }
  }, [exhausted, steps.length]);

  function send(
    track: ReviewSong,
    genre: string | null,
    onRefused: (failed: Failure) => void,
  ): void {
    const headers = credentialHeaders(credentials.get()); // another client may sign in before it is sent
    sending.current = sending.current.then(async () => {
      try {
        const input = [{ trackId: track.trackId, genre }];
        const { verifySongs } = await execute(VerifySongsDocument, { input }, { headers });
        if (verifySongs.__typename === 'UnknownSongs') {
          throw new Failure('deleted', `“${track.title}” is no longer stored.`);
        }
        setFailure(null);
      } catch (error) {
        const failed = asFailure(error);
        setFailure(failed);
        onRefused(failed);
      }
      setSent((last) => last + 1);
    });
  }

  function verify(genre: string): void {
    if (!song) return;
    const step = { song, genre };
    setSteps([...steps, step]);
    send(song, genre, ({ kind }) => {
      // Skip a song that no longer exists; return any other to the queue.
      if (kind !== 'deleted') setReturned((all) => [song, ...all]);
      const instead = kind === 'deleted' ? [{ song, genre: null }] : [];
      setSteps((all) => all.flatMap((one) => (one === step ? instead : [one])));
    });
  }

  function undo(): void {
    const last = steps.at(-1);
    if (!last) return;
    setSteps(steps.slice(0, -1));
    setReturned((all) => [last.song, ...all]);
    if (last.genre !== null) send(last.song, null, () => setSteps((all) => [...all, last]));
  }

  return {
    song,
    loading: queue.loading,
    verified: steps.filter(({ genre }) => genre !== null).length,
    accuracy: accuracy.value,
    failure: failure ?? queue.failure,
    verify,
    skip: () => song && setSteps([...steps, { song, genre: null }]),
    undo: steps.length > 0 ? undo : null,
  };
}
