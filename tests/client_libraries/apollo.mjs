// @apollo/client with apollo-upload-client for files and graphql-ws for subscriptions.
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, InMemoryCache, ServerError, gql } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import UploadHttpLink from "apollo-upload-client/UploadHttpLink.mjs";
import { OperationTypeNode } from "graphql";
import { createClient } from "graphql-ws";
import WebSocket from "ws";

import { CLASSIFY, GENRES, PROGRESS, credentials, print, songFile, summary, url, websocketUrl } from "./client.mjs";

function connect(headers) {
  const websocket = createClient({
    url: websocketUrl,
    connectionParams: headers,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  const client = new ApolloClient({
    // Apollo needs to know which types implement an interface: https://www.apollographql.com/docs/react/data/fragments
    cache: new InMemoryCache({ possibleTypes: { Error: ["InvalidSongFile", "SongFileTooLarge"] } }),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(websocket),
      new UploadHttpLink({ uri: url, headers: { ...headers, "apollo-require-preflight": "true" } }),
    ),
  });
  return { client, websocket };
}

const { client, websocket } = connect(credentials);

async function upload(file, options) {
  const { data } = await client.mutate({ mutation: gql(CLASSIFY), variables: { file, options } });
  const { __typename, ...rest } = data.classifyBatch;
  return { __typename, ...rest };
}

function follow(id) {
  const states = [];
  return new Promise((resolve, reject) => {
    client.subscribe({ query: gql(PROGRESS), variables: { id } }).subscribe({
      next: ({ data, error }) => (error ? reject(error) : states.push(data.batchProgress)),
      error: reject,
      complete: () => resolve(states),
    });
  });
}

async function stranger() {
  try {
    await connect({ ...credentials, "client-secret": "guess" }).client.query({ query: gql(GENRES) });
  } catch (error) {
    if (CombinedGraphQLErrors.is(error)) return { code: error.errors[0].extensions.code };
    if (ServerError.is(error)) {
      return { status: error.statusCode, code: JSON.parse(error.bodyText).errors[0].extensions.code };
    }
    throw error;
  }
}

const stored = await upload(await songFile());
const refused = await upload(await songFile(process.env.WRONG_FILE));
const { data } = await client.query({ query: gql(GENRES) });
const queued = await upload(await songFile(), { background: true });
const states = await follow(queued.id);
await websocket.dispose();
print({
  stored: summary(stored),
  refused: summary({ ...refused, problems: refused.problems?.map(({ __typename, ...problem }) => problem) }),
  genres: data.genres.map(({ __typename, ...genre }) => genre),
  stranger: await stranger(),
  queued: queued.status,
  ended: states.at(-1).status,
  rows: states.at(-1).rowsProcessed,
});
