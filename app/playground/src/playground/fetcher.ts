/** GraphiQL's fetcher: queries, uploads and subscriptions, with readable failures. */

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

/** The last failure, shown above the editors. */
export const failure = new Store<Failure | null>(null);

export interface ResponseFacts {
  status: number;
  milliseconds: number;
  bytes: number;
}

/** Facts about the last HTTP response; null while waiting for one. */
export const response = new Store<ResponseFacts | null>(null);

/** Number of operations run, by which responses to earlier ones are recognized and not shown. */
let runs = 0;

/** The share of an upload that has been sent, from 0 to 1; null without an upload. */
export const uploaded = new Store<number | null>(null);

export function createFetcher(maxUploadBytes: number): Fetcher {
  return ((params: FetcherParams, options) => {
    failure.set(null);
    response.set(null);
    const definition = definitionOf(params);
    const operation = operationOf(params, definition);
    const headers = (options?.headers ?? {}) as Record<string, string>;
    if (definition?.operation === 'subscription') {
      return observe<unknown>(async (next, signal) => {
        try {
          await follow(ENDPOINT, await withLastBatch(operation, headers), next, signal);
        } catch (error) {
          if (signal.aborted) throw error;
          next(Array.isArray(error) ? { errors: error } : report(error));
        }
      });
    }
    const variables = uploadVariables(definition);
    if (variables.length === 0) return sendAndReport(operation, { headers });
    const { files, missing } = filesFor(variables);
    if (missing.length > 0) {
      const names = missing.map((name) => `$${name}`).join(' and ');
      const message = `Choose a file for ${names} in the Files panel, then run this again.`;
      return Promise.resolve(report(new Failure('refused', message)));
    }
    return observe<unknown>(async (next, signal) => {
      try {
        uploaded.set(0);
        const onProgress = uploaded.set;
        next(
          await sendAndReport(operation, { headers, files, maxUploadBytes, onProgress, signal }),
        );
      } finally {
        uploaded.set(null);
      }
    });
  }) as (...args: Parameters<Fetcher>) => FetcherReturnType as Fetcher;
}

/** Send an operation. A failure becomes a reply with an error, and is also shown above the editors. */
async function sendAndReport(
  operation: Operation,
  options: SendOptions,
): Promise<GraphQLReply<unknown>> {
  const began = performance.now();
  const introspection = operation.operationName === 'IntrospectionQuery'; // sent by GraphiQL itself
  const run = introspection ? runs : ++runs;
  const onReply = ({ status, text }: { status: number; text: string }) =>
    introspection ||
    run !== runs ||
    response.set({
      status,
      milliseconds: performance.now() - began,
      bytes: new TextEncoder().encode(text).length,
    });
  try {
    return await send(ENDPOINT, operation, { ...options, onReply });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    return run === runs ? report(error) : { errors: [{ message: String(error) }] };
  }
}

/** Replace an empty `id` with that of the client's last batch. */
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

function report(error: unknown): GraphQLReply<unknown> {
  const known = error instanceof Failure ? error : new Failure('unexpected', String(error));
  failure.set(known);
  return { errors: [{ message: known.message }] };
}

/** The operation to send. After a change of tabs, GraphiQL first still names the previous tab's operation. */
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

/** The definition of the operation that runs; undefined for a syntax error, which the service reports. */
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
