import { describe, expect, it } from 'vitest';
import { Failure, fileSize, readReply, tooLarge } from './failure';

const errors = (message: string) => JSON.stringify({ errors: [{ message }] });

function failure(status: number, text: string): Failure {
  try {
    readReply(status, text);
  } catch (error) {
    if (error instanceof Failure) return error;
  }
  throw new Error('it did not fail');
}

describe('readReply', () => {
  it('returns replies, also with errors', () => {
    expect(readReply(200, '{"data": {"a": 1}}')).toEqual({ data: { a: 1 } });
    expect(readReply(400, errors('no'))).toEqual({ errors: [{ message: 'no' }] });
  });

  it.each([
    [401, errors('no'), 'unauthenticated', 'Sign-in failed. Check your client ID and secret.'],
    [401, '', 'unauthenticated', 'Sign-in failed. Check your client ID and secret.'],
    [403, errors('This client is read-only.'), 'refused', 'This client is read-only.'],
    [413, errors('At most 1 byte.'), 'too-large', 'Too large. At most 1 byte.'],
    [413, '<h1>nginx</h1>', 'too-large', 'The file is too large. Split it into several files.'],
    [503, 'x', 'busy', 'The service is busy or starting. Try again in a moment.'],
  ])('puts status %i into words', (status, text, kind, message) => {
    const found = failure(status, text);
    expect([found.kind, found.message]).toEqual([kind, message]);
  });

  it.each(['<html>', '[]', 'null', '"a"', '{}'])('rejects %s', (text) => {
    expect(failure(200, text).kind).toBe('unexpected');
  });
});

it('states the maximum size of a request', () => {
  expect(tooLarge(128 * 1024 * 1024).message).toContain('The limit is 128 MB.');
  expect(
    [0, 1, 700 * 1024, 1.25 * 1024 ** 2, 12.4 * 1024 ** 2, 4 * 1024 ** 3].map(fileSize),
  ).toEqual(['0 kB', '1 kB', '700 kB', '1.3 MB', '12 MB', '4 GB']);
});
