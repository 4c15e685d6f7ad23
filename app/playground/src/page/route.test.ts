import { expect, it } from 'vitest';
import { EVERYTHING, parseRoute, type Route, routeQuery } from './route';

it('writes only what differs from the start page', () => {
  expect(routeQuery(EVERYTHING)).toBe('');
  expect(routeQuery({ ...EVERYTHING, genre: 'jazz and blues', from: 50 })).toBe(
    '?genre=jazz+and+blues&from=50',
  );
});

it('parses the query string that it wrote', () => {
  const shown: Route = {
    view: 'files',
    file: 'QmF0Y2g6MQ==',
    compare: 'QmF0Y2g6Mg==',
    genre: 'pop',
    search: 'a & b',
    confident: false,
    from: 20,
    to: 60,
    sort: 'least-confident',
    song: '7',
  };
  expect(parseRoute(routeQuery(shown))).toEqual(shown);
});

it.each(['?view=x&sort=x&from=-1&to=1e9&confident=maybe', '?from=80&to=20', '?from=0.5', ''])(
  'ignores what it does not know: %s',
  (query) => expect(parseRoute(query)).toEqual(EVERYTHING),
);
