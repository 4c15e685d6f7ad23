import { useEffect, useState } from 'react';
import { Failure } from '../shared/failure';

export interface Requested<Value> {
  value: Value | null;
  failure: Failure | null;
  loading: boolean;
}

interface Replied<Value> {
  /** The key of the request. */
  key: string | null;
  value: Value | null;
  failure: Failure | null;
}

/**
 * Send a request whenever `key` changes, and ignore replies to previous keys.
 * The last value is kept while the next one loads.
 */
export function useRequest<Value>(
  key: string,
  request: (signal: AbortSignal) => Promise<Value>,
): Requested<Value> {
  const [state, setState] = useState<Replied<Value>>({ key: null, value: null, failure: null });
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` identifies the request
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    request(signal).then(
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
