/** The state of the page, kept in its URL so that back, forward, reload and shared links work. */

import { Store } from '../shared/store';

export const SORTS = ['title', 'most-confident', 'least-confident'] as const;
export type Sort = (typeof SORTS)[number];

const VIEWS = ['songs', 'files', 'review'] as const;
type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  /** ID of the batch whose songs are shown; null for all stored songs. */
  file: string | null;
  /** ID of a batch whose genres are compared with those of `file`. */
  compare: string | null;
  genre: string | null;
  search: string;
  /** Whether only confident or only uncertain songs are shown; null for both. */
  confident: boolean | null;
  /** The range of confidence shown, in percent. */
  from: number;
  to: number;
  sort: Sort;
  /** Track ID of the open song. */
  song: string | null;
}

export const EVERYTHING: Route = {
  view: 'songs',
  file: null,
  compare: null,
  genre: null,
  search: '',
  confident: null,
  from: 0,
  to: 100,
  sort: 'title',
  song: null,
};

/** No filters, as for a new file. */
export const NO_FILTERS = {
  genre: null,
  search: '',
  confident: null,
  from: 0,
  to: 100,
} satisfies Partial<Route>;

export function parseRoute(query: string): Route {
  const given = new URLSearchParams(query);
  const confident = given.get('confident');
  const from = percentOf(given.get('from'), 0);
  const to = percentOf(given.get('to'), 100);
  return {
    view: VIEWS.find((view) => view === given.get('view')) ?? 'songs',
    file: given.get('file') || null,
    compare: given.get('compare') || null,
    genre: given.get('genre') || null,
    search: given.get('search') ?? '',
    confident: confident === 'yes' ? true : confident === 'no' ? false : null,
    ...(from <= to ? { from, to } : { from: 0, to: 100 }),
    sort: SORTS.find((sort) => sort === given.get('sort')) ?? 'title',
    song: given.get('song') || null,
  };
}

/** Return the query string of a route, with `?` and only what differs from the start page. */
export function routeQuery(shown: Route): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(shown)) {
    if (value === EVERYTHING[name as keyof Route]) continue;
    query.set(name, value === true ? 'yes' : value === false ? 'no' : String(value));
  }
  const text = query.toString();
  return text ? `?${text}` : '';
}

export const route = new Store<Route>(parseRoute(globalThis.location?.search ?? ''));

/** Change the route; with `replace`, without a history entry, as for each letter typed. */
export function go(change: Partial<Route>, { replace = false } = {}): void {
  const next = { ...route.get(), ...change };
  const url = location.pathname + routeQuery(next);
  if (url === location.pathname + location.search) return;
  if (replace) history.replaceState(null, '', url);
  else history.pushState(null, '', url);
  route.set(next);
}

globalThis.addEventListener?.('popstate', () => route.set(parseRoute(location.search)));

function percentOf(text: string | null, otherwise: number): number {
  const value = Number(text ?? otherwise);
  return Number.isInteger(value) && value >= 0 && value <= 100 ? value : otherwise;
}
