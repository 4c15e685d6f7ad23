/** The server's configuration for its pages. */

import { credentials, remember } from './credentials';

export interface Configuration {
  version: string;
  /** The well-known client, whose secret equals its ID; only with the embedded database. */
  knownClient: string | null;
  introspection: boolean;
  maxUploadBytes: number;
}

const UNKNOWN: Configuration = {
  version: '',
  knownClient: null,
  introspection: true,
  maxUploadBytes: Number.POSITIVE_INFINITY,
};

/** Fetch the configuration, and sign in as the well-known client unless somebody is signed in. */
export async function loadConfiguration(): Promise<Configuration> {
  const response = await fetch(new URL('assets/configuration.json', document.baseURI)).catch(
    () => null,
  );
  const configuration: Configuration = response?.ok ? await response.json() : UNKNOWN;
  const known = configuration.knownClient;
  if (known && !credentials.get()) remember({ clientId: known, clientSecret: known });
  return configuration;
}
