// graphql-ws: every kind of operation over one WebSocket, and what happens to a stranger.
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { GENRES, PROGRESS, credentials, print, websocketUrl } from "./client.mjs";

function connect(connectionParams) {
  return createClient({ url: websocketUrl, connectionParams, webSocketImpl: WebSocket, retryAttempts: 0 });
}

async function all(client, query, variables) {
  const results = [];
  for await (const result of client.iterate({ query, variables })) results.push(result);
  return results;
}

const client = connect(credentials);
const [{ data }] = await all(client, GENRES);
const states = await all(client, PROGRESS, { id: process.env.BATCH_ID });
const [wrong] = await all(client, "subscription { batchProgress(id: 7) { nothing } }").catch((errors) => [{ errors }]);
await client.dispose();

async function closed(connectionParams) {
  const stranger = connect(connectionParams);
  return all(stranger, GENRES).then(
    () => ({ code: 1000 }),
    ({ code, reason }) => ({ code, reason }),
  );
}

print({
  genres: data.genres,
  ended: states.at(-1).data.batchProgress.status,
  wrong: wrong.errors[0].message,
  stranger: await closed({ ...credentials, "client-secret": "guess" }),
  nobody: await closed({}),
});
