import { fileSize } from '../shared/failure';
import { useStore } from '../shared/store';
import { answer } from './fetcher';

/** Status, time and size of the last answer. */
export function AnswerFacts() {
  const facts = useStore(answer);
  return (
    <p className="answer-facts" role="status">
      {facts && `Status ${facts.status} · ${time(facts.milliseconds)} · ${fileSize(facts.bytes)}`}
    </p>
  );
}

const time = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
