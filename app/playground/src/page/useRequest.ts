import { useEffect, useState } from 'react';
import { Failure } from '../shared/failure';

export interface Requested<Value> {
  value: Value | null;
  failure: Failure | null;
  loading: boolean;
}

interface Replied<Value> {
  /** What was asked for. */
  key: string | null;
  value: Value | null;
  failure: Failure | null;
}

/**
 * Ask for something whenever `key` changes; a reply to a previous key is dropped.
 * The last value stays while the next one is on its way.
 */
export function useRequest<Value>(
  key: string,
  ask: (signal: AbortSignal) => Promise<Value>,
): Requested<Value> {
  const [state, setState] = useState<Replied<Value>>({ key: null, value: null, failure: null });
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` says when to ask again
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    ask(signal).then(
      (value) => signal.aborted || setState({ key, value, failure: null }),
      (error: unknown) =>
        signal.aborted || setState({ key, value: null, failure: asFailure(error) }),
    );
    return () => controller.abort();
  }, [key]);
  return { value: state.value, failure: state.failure, loading: state.key !== key };
}

export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure('unexpected', `Something went wrong in this page: ${String(error)}`);
}
