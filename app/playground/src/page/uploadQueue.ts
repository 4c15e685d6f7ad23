/** The queue of files to upload one after another, with those that failed or were rejected. */

import { type Credentials, credentials } from '../shared/credentials';
import { Failure } from '../shared/failure';
import { Store } from '../shared/store';
import type { BatchFragment, ClassifyBatchMutation, ProblemFragment } from './operations.generated';
import { type Route, route } from './route';

type Result = ClassifyBatchMutation['classifyBatch'];

export interface Options {
  skipInvalidRows: boolean;
  /** Whether rows with missing values are classified with the values present instead of skipped. */
  classifyIncompleteRows: boolean;
  minConfidence: number;
}

export interface Refusal {
  message: string;
  problems: readonly ProblemFragment[];
  problemCount: number;
}

const NO_OPTIONS: Options = {
  skipInvalidRows: false,
  classifyIncompleteRows: false,
  minConfidence: 0,
};

export type UploadState =
  | { step: 'waiting' }
  | { step: 'uploading'; share: number }
  | { step: 'classifying' }
  | { step: 'refused'; refusal: Refusal }
  | { step: 'failed'; failure: Failure };

export interface Upload {
  key: number;
  name: string;
  /** Null if the file was sent before the page was loaded. */
  file: File | null;
  options: Options;
  /** The client that added the file. It is sent as this client, even if another one has signed in. */
  client: Credentials | null;
  /** What the page showed when the file was added. */
  shown: Route;
  state: UploadState;
}

export type Send = (
  file: File,
  options: Options,
  onProgress: (share: number) => void,
  signal: AbortSignal,
  client: Credentials | null,
) => Promise<Result>;

export interface Listener {
  /** Called for each accepted batch; `last` if no other file is waiting. */
  onBatch: (batch: BatchFragment, upload: Upload, last: boolean) => void;
  onFailure: (failure: Failure, upload: Upload) => void;
}

export class UploadQueue {
  readonly uploads = new Store<readonly Upload[]>([]);
  listener: Listener = { onBatch: () => {}, onFailure: () => {} };
  readonly #send: Send;
  #stop: AbortController | null = null;
  #lastKey = 0;

  constructor(send: Send) {
    this.#send = send;
  }

  add(files: readonly File[], options: Options): void {
    const added = files.map((file) => this.#upload(file.name, file, options, { step: 'waiting' }));
    this.uploads.set([...this.uploads.get(), ...added]);
    this.#next();
  }

  /** Show a failed background batch like a rejected file. */
  addRefused(
    name: string,
    source: Pick<Upload, 'file' | 'options'> | null,
    refusal: Refusal,
  ): void {
    const options = source?.options ?? NO_OPTIONS;
    const state: UploadState = { step: 'refused', refusal };
    const upload = this.#upload(name, source?.file ?? null, options, state);
    this.uploads.set([...this.uploads.get(), upload]);
  }

  /** Send a file again, optionally with other options. */
  retry(key: number, change: Partial<Options> = {}): void {
    const upload = this.#find(key);
    if (!upload?.file) return;
    const options = { ...upload.options, ...change };
    this.#change(key, { options, ...now(), state: { step: 'waiting' } });
    this.#next();
  }

  /** Remove an upload, and abort it if it is being sent. */
  remove(key: number): void {
    const sending = this.uploads.get().find(isSending);
    this.uploads.set(this.uploads.get().filter((upload) => upload.key !== key));
    if (sending?.key === key) this.#stop?.abort();
  }

  /** Whether any file is unsent or unanswered, and would be lost with the page. */
  isBusy(): boolean {
    return this.uploads
      .get()
      .some((upload) => upload.state.step === 'waiting' || isSending(upload));
  }

  /** Remove all uploads, and abort the current one. */
  clear(): void {
    this.uploads.set([]);
    this.#stop?.abort();
  }

  #next(): void {
    const all = this.uploads.get();
    const waiting = all.find(({ state }) => state.step === 'waiting');
    if (waiting?.file && !all.some(isSending)) void this.#run(waiting, waiting.file);
  }

  async #run(upload: Upload, file: File): Promise<void> {
    const { key } = upload;
    const controller = new AbortController();
    this.#stop = controller;
    this.#change(key, { state: { step: 'uploading', share: 0 } });
    const onProgress = (share: number) =>
      this.#change(key, {
        state: share < 1 ? { step: 'uploading', share } : { step: 'classifying' },
      });
    try {
      const result = await this.#send(
        file,
        upload.options,
        onProgress,
        controller.signal,
        upload.client,
      );
      if (result.__typename === 'Batch') {
        this.uploads.set(this.uploads.get().filter((other) => other.key !== key));
        const last = !this.uploads.get().some(({ state }) => state.step === 'waiting');
        this.listener.onBatch(result, upload, last);
      } else {
        this.#change(key, { state: { step: 'refused', refusal: asRefusal(result) } });
      }
    } catch (error) {
      if (!controller.signal.aborted) {
        const failure =
          error instanceof Failure
            ? error
            : new Failure('unexpected', `Unexpected error: ${error}`);
        this.#change(key, { state: { step: 'failed', failure } });
        this.listener.onFailure(failure, upload);
      }
    }
    this.#next();
  }

  #upload(name: string, file: File | null, options: Options, state: UploadState): Upload {
    this.#lastKey += 1;
    return { key: this.#lastKey, name, file, options, ...now(), state };
  }

  #find(key: number): Upload | undefined {
    return this.uploads.get().find((upload) => upload.key === key);
  }

  #change(key: number, change: Partial<Upload>): void {
    this.uploads.set(
      this.uploads.get().map((upload) => (upload.key === key ? { ...upload, ...change } : upload)),
    );
  }
}

const now = () => ({ client: credentials.get(), shown: route.get() });

const isSending = ({ state }: Upload): boolean =>
  state.step === 'uploading' || state.step === 'classifying';

function asRefusal(result: Exclude<Result, { __typename: 'Batch' }>): Refusal {
  return result.__typename === 'InvalidSongFile'
    ? result
    : { message: result.message, problems: [], problemCount: 0 };
}
