import { useEffect, useState } from 'react';
import { Failure } from '../shared/failure';

export interface Requested<Value> {
  value: Value | null;
  failure: Failure | null;
  loading: boolean;
}

/**
 * Ask for something whenever `key` changes; an answer that nobody waits for any more is dropped.
 * The last value stays while the next one is on its way.
 */
export function useRequest<Value>(
  key: string,
  ask: (signal: AbortSignal) => Promise<Value>,
): Requested<Value> {
  const [state, setState] = useState<Requested<Value>>({
    value: null,
    failure: null,
    loading: true,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` says when to ask again
  useEffect(() => {
    const controller = new AbortController();
    setState((last) => ({ ...last, loading: true }));
    ask(controller.signal).then(
      (value) => setState({ value, failure: null, loading: false }),
      (error: unknown) => {
        if (!controller.signal.aborted) {
          setState({ value: null, failure: asFailure(error), loading: false });
        }
      },
    );
    return () => controller.abort();
  }, [key]);
  return state;
}

export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure('unexpected', `Something went wrong in this page: ${String(error)}`);
}
