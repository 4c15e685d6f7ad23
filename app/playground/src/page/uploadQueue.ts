/** Files on their way to the service, one after the other, and what became of those that failed. */

import { type Credentials, credentials } from '../shared/credentials';
import { Failure } from '../shared/failure';
import { Store } from '../shared/store';
import type { BatchFragment, ClassifyBatchMutation, ProblemFragment } from './operations.generated';
import { type Route, route } from './route';

type Answer = ClassifyBatchMutation['classifyBatch'];

export interface Options {
  skipInvalidRows: boolean;
  /** Whether rows with missing values are classified with what there is, not skipped. */
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
  /** Null of a batch whose file was sent before the page was loaded. */
  file: File | null;
  options: Options;
  /** Who added the file; it is sent as this client even if another one has signed in since. */
  client: Credentials | null;
  /** What the page showed then. */
  shown: Route;
  state: UploadState;
}

export type Send = (
  file: File,
  options: Options,
  onProgress: (share: number) => void,
  signal: AbortSignal,
  client: Credentials | null,
) => Promise<Answer>;

export interface Listener {
  /** Hears of each batch accepted; `last` if no other file waits. */
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

  /** Show that a batch in the background was refused, as if its file had been. */
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

  /** Send a file again, as it was or with other options. */
  retry(key: number, change: Partial<Options> = {}): void {
    const upload = this.#find(key);
    if (!upload?.file) return;
    const options = { ...upload.options, ...change };
    this.#change(key, { options, ...now(), state: { step: 'waiting' } });
    this.#next();
  }

  /** Take an upload out, and stop it if it is under way. */
  remove(key: number): void {
    const sending = this.uploads.get().find(isSending);
    this.uploads.set(this.uploads.get().filter((upload) => upload.key !== key));
    if (sending?.key === key) this.#stop?.abort();
  }

  /** Whether files are not with the service yet, or have no reply; they would be lost with the page. */
  isBusy(): boolean {
    return this.uploads
      .get()
      .some((upload) => upload.state.step === 'waiting' || isSending(upload));
  }

  /** Take all uploads out, and stop the one under way. */
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
      const answer = await this.#send(
        file,
        upload.options,
        onProgress,
        controller.signal,
        upload.client,
      );
      if (answer.__typename === 'Batch') {
        this.uploads.set(this.uploads.get().filter((other) => other.key !== key));
        const last = !this.uploads.get().some(({ state }) => state.step === 'waiting');
        this.listener.onBatch(answer, upload, last);
      } else {
        this.#change(key, { state: { step: 'refused', refusal: asRefusal(answer) } });
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

function asRefusal(answer: Exclude<Answer, { __typename: 'Batch' }>): Refusal {
  return answer.__typename === 'InvalidSongFile'
    ? answer
    : { message: answer.message, problems: [], problemCount: 0 };
}
