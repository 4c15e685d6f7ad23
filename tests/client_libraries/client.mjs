// Shared by the client scripts: the service, the file to send, and summaries of results.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";

export const url = process.env.GENREGRAPH_URL;
export const websocketUrl = url.replace(/^http/, "ws");
export const credentials = {
  "client-id": process.env.GENREGRAPH_CLIENT_ID,
  "client-secret": process.env.GENREGRAPH_CLIENT_SECRET,
};

export async function songFile(path = process.env.SONG_FILE) {
  return new File([await readFile(path)], basename(path), { type: "text/csv" });
}

export const GENRES = "query Genres { genres { name songCount } }";

export const CLASSIFY = `
  mutation Classify($file: Upload!, $options: ClassifyBatchOptions) {
    classifyBatch(file: $file, options: $options) {
      __typename
      ... on Batch { id status fileName rowsUploaded rowsClassified }
      ... on Error { message code }
      ... on InvalidSongFile { problemCount problems { line column value } }
    }
  }`;

export const PROGRESS = `
  subscription Progress($id: ID!) {
    batchProgress(id: $id) { status rowsUploaded rowsProcessed }
  }`;

// Omit the ID, the only part of a result that differs between runs.
export function summary(result) {
  const { id, ...rest } = result;
  return rest;
}

export function print(results) {
  console.log(JSON.stringify(results));
}
