// Plain fetch and FormData, as a page without any GraphQL library would use them.
import { CLASSIFY, GENRES, credentials, print, songFile, summary, url } from "./client.mjs";

async function answer(request) {
  const response = await fetch(url, { method: "POST", ...request });
  const { data, errors } = await response.json();
  return errors ? { status: response.status, code: errors[0].extensions.code } : data;
}

function upload(file, options) {
  const body = new FormData();
  body.append("operations", JSON.stringify({ query: CLASSIFY, variables: { file: null, options } }));
  body.append("map", JSON.stringify({ 0: ["variables.file"] }));
  body.append("0", file);
  return answer({ headers: { ...credentials, "graphql-preflight": "1" }, body });
}

function ask(query, headers = credentials) {
  return answer({
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify({ query }),
  });
}

const stored = (await upload(await songFile())).classifyBatch;
const refused = (await upload(await songFile(process.env.WRONG_FILE))).classifyBatch;
print({
  stored: summary(stored),
  refused: summary(refused),
  genres: (await ask(GENRES)).genres,
  stranger: await ask(GENRES, { ...credentials, "client-secret": "guess" }),
});
