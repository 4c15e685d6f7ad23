/** The client's credentials: typed once, kept for this browser tab only. */

import { Store } from './store';

export interface Credentials {
  clientId: string;
  clientSecret: string;
}

const KEY = 'genregraph-credentials';

export const credentials = new Store<Credentials | null>(read());

export function remember(given: Credentials): void {
  sessionStorage.setItem(KEY, JSON.stringify(given));
  credentials.set(given);
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
  credentials.set(null);
}

/** The same two names are HTTP headers and fields of a WebSocket's `connection_init`. */
export function credentialHeaders(given: Credentials | null): Record<string, string> {
  return given ? { 'client-id': given.clientId, 'client-secret': given.clientSecret } : {};
}

function read(): Credentials | null {
  const kept: unknown = JSON.parse(globalThis.sessionStorage?.getItem(KEY) ?? 'null');
  return isCredentials(kept) ? kept : null;
}

function isCredentials(value: unknown): value is Credentials {
  return (
    typeof value === 'object' &&
    value !== null &&
    'clientId' in value &&
    'clientSecret' in value &&
    typeof value.clientId === 'string' &&
    typeof value.clientSecret === 'string'
  );
}
