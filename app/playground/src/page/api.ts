/** The GraphQL API, typed by the page's operations. */

import { Failure } from '../shared/failure';
import { type SendOptions, send } from '../shared/transport';
import type { TypedDocumentString } from './operations.generated';

export const ENDPOINT = new URL('graphql', document.baseURI).href;

/**
 * Run an operation and return its data.
 *
 * @throws Failure if it failed; an AbortError if the signal was aborted.
 */
export async function execute<Result, Variables extends Record<string, unknown>>(
  operation: TypedDocumentString<Result, Variables>,
  variables: Variables,
  options: SendOptions = {},
): Promise<Result> {
  const reply = await send<Result>(ENDPOINT, { query: operation.toString(), variables }, options);
  if (reply.errors?.length || !reply.data) {
    const messages = reply.errors?.map((error) => error.message).join(' ');
    throw new Failure('refused', messages || 'The service returned neither data nor an error.');
  }
  return reply.data;
}
