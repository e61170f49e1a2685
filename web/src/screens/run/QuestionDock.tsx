/** The open question, docked above the composer; says so when somebody else answered it. */
import { useEffect, useRef, useState } from 'react';
import type { Run } from '../../api/types';
import type { RunLog } from '../../log/blocks';
import type { Question } from '../../log/events';
import { answerText } from './blocks/QuestionView';
import { QuestionCard } from './QuestionCard';

const TOLD_FOR_MS = 12_000;

export function QuestionDock({ run, log, question }: { run: Run; log: RunLog; question: Question | null }) {
  const mine = useRef(new Set<string>());
  const told = useAnsweredElsewhere(log, question, mine.current);
  return (
    <>
      {told && (
        <p role="status" className="text-sm text-ink-2 bg-sunken rounded-md px-3 py-2 mb-2 wrap-anywhere">
          {told}
        </p>
      )}
      {question && (
        <QuestionCard
          key={question.id}
          run={run}
          question={question}
          answering={(id) => mine.current.add(id)}
        />
      )}
    </>
  );
}

/** A sentence for a while after a question was answered by someone else. */
function useAnsweredElsewhere(log: RunLog, question: Question | null, mine: Set<string>): string | null {
  const [told, setTold] = useState<string | null>(null);
  const before = useRef<string | null>(null);
  const open = question?.id ?? null;
  useEffect(() => {
    const closed = before.current;
    before.current = open;
    if (closed === null || closed === open || mine.has(closed)) return;
    const block = log.blocks[log.questionAt[closed] ?? -1];
    if (block?.kind !== 'question' || !block.answer) return;
    setTold(`Answered elsewhere by ${block.by ?? 'someone'}: ${answerText(block.answer)}.`);
    const timer = setTimeout(() => setTold(null), TOLD_FOR_MS);
    return () => clearTimeout(timer);
  }, [open, log.blocks, log.questionAt, mine]);
  return told;
}
