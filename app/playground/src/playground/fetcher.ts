/** How GraphiQL reaches the service: queries, uploads and subscriptions, with readable failures. */

import type { Fetcher, FetcherParams, FetcherReturnType } from '@graphiql/toolkit';
import { Kind, type OperationDefinitionNode, parse } from 'graphql';
import { Failure, type GraphQLReply } from '../shared/failure';
import type { Operation } from '../shared/multipart';
import { Store } from '../shared/store';
import { follow } from '../shared/subscriptions';
import { type SendOptions, send } from '../shared/transport';
import { observe } from './observation';
import { chosenOperation, filesFor, uploadVariables } from './uploads';

export const ENDPOINT = location.origin + location.pathname;

/** The last failure, for the bar above the editors. */
export const failure = new Store<Failure | null>(null);

export interface AnswerFacts {
  status: number;
  milliseconds: number;
  bytes: number;
}

/** The last answer over HTTP; null while one is on its way. */
export const answer = new Store<AnswerFacts | null>(null);

/** Counts the operations run: what comes back of an earlier one is not about the one shown. */
let runs = 0;

/** How much of an upload has gone out, from 0 to 1; null when there is none. */
export const uploaded = new Store<number | null>(null);

export function createFetcher(maxUploadBytes: number): Fetcher {
  return ((params: FetcherParams, options) => {
    failure.set(null);
    answer.set(null);
    const definition = definitionOf(params);
    const operation = operationOf(params, definition);
    const headers = (options?.headers ?? {}) as Record<string, string>;
    if (definition?.operation === 'subscription') {
      return observe<unknown>(async (next, signal) => {
        try {
          await follow(ENDPOINT, await withLastBatch(operation, headers), next, signal);
        } catch (error) {
          if (signal.aborted) throw error;
          next(Array.isArray(error) ? { errors: error } : tell(error));
        }
      });
    }
    const variables = uploadVariables(definition);
    if (variables.length === 0) return told(operation, { headers });
    const { files, missing } = filesFor(variables);
    if (missing.length > 0) {
      const names = missing.map((name) => `$${name}`).join(' and ');
      const message = `Choose a file for ${names} in the Files panel, then run this again.`;
      return Promise.resolve(tell(new Failure('refused', message)));
    }
    return observe<unknown>(async (next, signal) => {
      try {
        uploaded.set(0);
        const onProgress = uploaded.set;
        next(await told(operation, { headers, files, maxUploadBytes, onProgress, signal }));
      } finally {
        uploaded.set(null);
      }
    });
  }) as (...args: Parameters<Fetcher>) => FetcherReturnType as Fetcher;
}

/** Send; a failure becomes a reply that says so, and is shown above the editors too. */
async function told(operation: Operation, options: SendOptions): Promise<GraphQLReply<unknown>> {
  const began = performance.now();
  const aside = operation.operationName === 'IntrospectionQuery'; // GraphiQL's own question
  const run = aside ? runs : ++runs;
  const onReply = ({ status, text }: { status: number; text: string }) =>
    aside ||
    run !== runs ||
    answer.set({
      status,
      milliseconds: performance.now() - began,
      bytes: new TextEncoder().encode(text).length,
    });
  try {
    return await send(ENDPOINT, operation, { ...options, onReply });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    return run === runs ? tell(error) : { errors: [{ message: String(error) }] };
  }
}

/** An operation with an empty `id` is about the client's last batch. */
async function withLastBatch(
  operation: Operation,
  headers: Record<string, string>,
): Promise<Operation> {
  if (operation.variables?.id !== '') return operation;
  const query = '{ batches(first: 1) { nodes { id } } }';
  const { data } = await send<{ batches: { nodes: Array<{ id: string }> } }>(
    ENDPOINT,
    { query },
    { headers },
  );
  const id = data?.batches.nodes[0]?.id;
  if (!id) throw new Failure('refused', 'There is no batch yet. Run ClassifyBatch first.');
  return { ...operation, variables: { ...operation.variables, id } };
}

function tell(error: unknown): GraphQLReply<unknown> {
  const known = error instanceof Failure ? error : new Failure('unexpected', String(error));
  failure.set(known);
  return { errors: [{ message: known.message }] };
}

/** What to send. Just after a change of tabs GraphiQL still names the operation of the tab before. */
function operationOf(
  { query, variables }: FetcherParams,
  definition: OperationDefinitionNode | undefined,
): Operation {
  const operationName = definition?.name?.value;
  return {
    query,
    ...(variables ? { variables: variables as Record<string, unknown> } : {}),
    ...(operationName ? { operationName } : {}),
  };
}

/** The operation that runs; none where the text cannot be parsed, and then the service says why. */
function definitionOf({
  query,
  operationName,
}: FetcherParams): OperationDefinitionNode | undefined {
  try {
    const operations = parse(query).definitions.filter(
      (definition) => definition.kind === Kind.OPERATION_DEFINITION,
    );
    return chosenOperation(operations, operationName);
  } catch {
    return undefined;
  }
}
