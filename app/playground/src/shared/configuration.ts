/** What the server tells its pages about itself. */

import { credentials, remember } from './credentials';

export interface Configuration {
  version: string;
  /** A client that everybody knows, its secret being its id; only on the embedded local database. */
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

/** Fetch the configuration; use the known client, if there is one and no other was typed. */
export async function loadConfiguration(): Promise<Configuration> {
  const response = await fetch(new URL('assets/configuration.json', document.baseURI)).catch(
    () => null,
  );
  const configuration: Configuration = response?.ok ? await response.json() : UNKNOWN;
  const known = configuration.knownClient;
  if (known && !credentials.get()) remember({ clientId: known, clientSecret: known });
  return configuration;
}
