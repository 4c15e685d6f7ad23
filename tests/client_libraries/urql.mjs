// @urql/core: its own uploads; subscriptions over graphql-ws, or over server-sent events without a library.
import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { CLASSIFY, GENRES, PROGRESS, credentials, print, songFile, summary, url, websocketUrl } from "./client.mjs";

const websocket = createClient({ url: websocketUrl, connectionParams: credentials, webSocketImpl: WebSocket });
const overWebSocket = subscriptionExchange({
  forwardSubscription: (request) => ({
    subscribe: (sink) => ({
      unsubscribe: websocket.subscribe({ query: request.query ?? "", variables: request.variables }, sink),
    }),
  }),
});

function connect(headers, ...exchanges) {
  return new Client({
    url,
    exchanges: [...exchanges, fetchExchange],
    fetchSubscriptions: exchanges.length === 0,
    fetchOptions: { headers: { ...headers, "graphql-preflight": "1" } },
    preferGetMethod: false,
  });
}

const client = connect(credentials);

async function upload(file, options) {
  const { data, error } = await client.mutation(CLASSIFY, { file, options }).toPromise();
  if (error) throw error;
  return data.classifyBatch;
}

function follow(subscriber, id) {
  return new Promise((resolve, reject) => {
    subscriber.subscription(PROGRESS, { id }).subscribe(({ data, error }) => {
      if (error) reject(error);
      else if (!["QUEUED", "RUNNING"].includes(data.batchProgress.status)) resolve(data.batchProgress);
    });
  });
}

const stored = await upload(await songFile());
const refused = await upload(await songFile(process.env.WRONG_FILE));
const { data } = await client.query(GENRES, {}).toPromise();
const stranger = await connect({ ...credentials, "client-secret": "guess" }).query(GENRES, {}).toPromise();
const queued = await upload(await songFile(), { background: true });
const events = await follow(client, queued.id);
const websockets = await follow(connect(credentials, overWebSocket), queued.id);
await websocket.dispose();
print({
  stored: summary(stored),
  refused: summary(refused),
  genres: data.genres,
  stranger: {
    status: stranger.error.response.status,
    code: stranger.error.graphQLErrors[0].extensions.code,
  },
  queued: queued.status,
  ended: events.status,
  rows: events.rowsProcessed,
  same: websockets.status === events.status,
});
