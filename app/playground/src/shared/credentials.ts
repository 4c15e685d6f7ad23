/** The client's credentials: typed once, kept for this browser tab only. */

import { Store } from './store';

export interface Credentials {
  clientId: string;
  clientSecret: string;
}

interface SignedIn extends Credentials {
  /** Counts the sign-ins: the same credentials again are another attempt. */
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

/** The same two names are HTTP headers and fields of a WebSocket's `connection_init`. */
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
