/** The client's credentials, kept in session storage, which belongs to this browser tab. */

import { Store } from './store';

export interface Credentials {
  clientId: string;
  clientSecret: string;
}

interface SignedIn extends Credentials {
  /** The number of the sign-in, so that entering the same credentials again counts as another attempt. */
  signIn: number;
}

const KEY = 'genregraph-credentials';

let signIns = 0;

export const credentials = new Store<SignedIn | null>(read());

export function remember(given: Credentials): void {
  sessionStorage.setItem(KEY, JSON.stringify(given));
  signIns += 1;
  credentials.set({ ...given, signIn: signIns });
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
  credentials.set(null);
}

/** The credentials as HTTP headers, which are also the fields of a WebSocket's `connection_init`. */
export function credentialHeaders(given: Credentials | null): Record<string, string> {
  return given ? { 'client-id': given.clientId, 'client-secret': given.clientSecret } : {};
}

function read(): SignedIn | null {
  const kept: unknown = JSON.parse(globalThis.sessionStorage?.getItem(KEY) ?? 'null');
  return isCredentials(kept) ? { ...kept, signIn: signIns } : null;
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
