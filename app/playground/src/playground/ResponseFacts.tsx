import { fileSize } from '../shared/failure';
import { useStore } from '../shared/store';
import { response } from './fetcher';

/** Status, time and size of the last response. */
export function ResponseFacts() {
  const facts = useStore(response);
  return (
    <p className="response-facts" role="status">
      {facts && `Status ${facts.status} · ${time(facts.milliseconds)} · ${fileSize(facts.bytes)}`}
    </p>
  );
}

const time = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
