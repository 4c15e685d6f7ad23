/** HTTP requests to the GraphQL endpoint, with credentials, upload progress and readable failures. */

import { credentialHeaders, credentials } from './credentials';
import { Failure, type GraphQLReply, readReply, tooLarge, unreachable } from './failure';
import { multipartBody, type Operation, type PickedFiles } from './multipart';

export interface SendOptions {
  files?: PickedFiles;
  headers?: Record<string, string>;
  maxUploadBytes?: number;
  /** Takes the share of the request that has been sent, from 0 to 1. */
  onProgress?: (share: number) => void;
  /** Takes the response before it is parsed. */
  onReply?: (reply: { status: number; text: string }) => void;
  signal?: AbortSignal;
}

/**
 * Run an operation.
 *
 * @throws Failure if the response is not GraphQL; an AbortError if the signal is aborted.
 */
export async function send<Data>(
  endpoint: string,
  operation: Operation,
  options: SendOptions = {},
): Promise<GraphQLReply<Data>> {
  const files = options.files ?? {};
  const multipart = Object.keys(files).length > 0;
  const size = Object.values(files)
    .flat()
    .reduce((sum, file) => sum + file.size, 0);
  // Browsers report a lost connection if a server rejects a body before receiving all of it.
  if (options.maxUploadBytes && size > options.maxUploadBytes)
    throw tooLarge(options.maxUploadBytes);
  const headers = {
    accept: 'application/graphql-response+json, application/json',
    ...(multipart ? { 'graphql-preflight': '1' } : { 'content-type': 'application/json' }),
    ...credentialHeaders(credentials.get()),
    ...options.headers,
  };
  const body = multipart ? multipartBody(operation, files) : JSON.stringify(operation);
  const reply = await request(endpoint, headers, body, options);
  options.onReply?.(reply);
  return readReply<Data>(reply.status, reply.text);
}

/**
 * Fetch a file that requires credentials, which a link cannot send.
 *
 * @throws Failure if there is no such file; an AbortError if the signal is aborted.
 */
export async function fetchFile(url: string, signal: AbortSignal): Promise<Blob> {
  const lost = (error: unknown) => {
    throw signal.aborted ? error : unreachable();
  };
  const headers = credentialHeaders(credentials.get());
  const response = await fetch(url, { headers, signal }).catch(lost);
  if (response.ok) return response.blob().catch(lost);
  const { errors } = readReply(response.status, await response.text().catch(lost));
  const message = errors?.map((error) => error.message).join(' ');
  throw new Failure(
    'refused',
    message || `The file does not exist on the service (${response.status}).`,
  );
}

/** Send a request by XMLHttpRequest, which reports upload progress; fetch does not. */
function request(
  url: string,
  headers: Record<string, string>,
  body: FormData | string,
  { onProgress, signal }: SendOptions,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const stopped = () => new DOMException('stopped', 'AbortError');
    if (signal?.aborted) {
      reject(stopped());
      return;
    }
    const xhr = new XMLHttpRequest();
    xhr.open('POST', url);
    try {
      for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    } catch {
      const message = 'The client ID or secret has a character that an HTTP header cannot carry.';
      reject(new Failure('unauthenticated', message));
      return;
    }
    if (onProgress) {
      xhr.upload.onprogress = ({ lengthComputable, loaded, total }) =>
        lengthComputable && onProgress(loaded / total);
    }
    xhr.onload = () => resolve({ status: xhr.status, text: xhr.responseText });
    xhr.onerror = () => reject(unreachable());
    xhr.onabort = () => reject(stopped());
    signal?.addEventListener('abort', () => xhr.abort(), { once: true });
    xhr.send(body);
  });
}
