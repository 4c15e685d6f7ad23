/** An observable of results that GraphiQL's stop button can cancel. */

export interface Sink<Result> {
  next: (result: Result) => void;
  error: (error: unknown) => void;
  complete: () => void;
}

export interface Observation<Result> {
  subscribe: (sink: Sink<Result>) => { unsubscribe: () => void };
}

/** Run `produce`, which passes results to `next` until it ends or the signal is aborted. */
export function observe<Result>(
  produce: (next: (result: Result) => void, signal: AbortSignal) => Promise<void>,
): Observation<Result> {
  return {
    subscribe(sink) {
      const controller = new AbortController();
      const { signal } = controller;
      produce((result) => signal.aborted || sink.next(result), signal).then(
        () => sink.complete(),
        (error: unknown) => (signal.aborted ? sink.complete() : sink.error(error)),
      );
      return { unsubscribe: () => controller.abort() };
    },
  };
}
