import { expect, it, vi } from 'vitest';
import type { ChangesQuery } from './operations.generated';

vi.mock('./api', () => ({ ENDPOINT: 'http://localhost/graphql', execute: vi.fn() }));

const { signature } = await import('./useChanges');

const batch = { id: 'a', status: 'SUCCEEDED', songsSuperseded: 0 } as const;
const shown: ChangesQuery = {
  genres: [{ name: 'folk', songCount: 3 }],
  batches: { nodes: [batch] },
};

const withBatch = (change: Partial<ChangesQuery['batches']['nodes'][number]>): ChangesQuery => ({
  ...shown,
  batches: { nodes: [{ ...batch, ...change }] },
});

it.each([
  ['a new file', { ...shown, batches: { nodes: [{ ...batch, id: 'b' }, batch] } }],
  ['a deleted file', { ...shown, batches: { nodes: [] } }],
  ['a file that ended', withBatch({ status: 'FAILED' })],
  ['songs classified again', withBatch({ songsSuperseded: 1 })],
  ['songs of a genre', { ...shown, genres: [{ name: 'folk', songCount: 4 }] }],
])('notices %s', (_, now) => expect(signature(now)).not.toBe(signature(shown)));

it('ignores the progress of a batch', () => {
  const [queued, running] = [withBatch({ status: 'QUEUED' }), withBatch({ status: 'RUNNING' })];
  expect(signature(queued)).toBe(signature(running));
});
