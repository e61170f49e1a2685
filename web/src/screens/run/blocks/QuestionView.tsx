/** A question in the log, with its answer once there is one. */
import { ShieldQuestion } from 'lucide-react';
import type { Answer } from '../../../api/types';
import type { QuestionBlock } from '../../../log/blocks';

/** An answer in words: `Allowed once`. */
export function answerText(answer: Answer): string {
  if (answer.answer === 'allow') {
    const scopes = { once: 'once', run: 'for this run', project: 'for this project' };
    return `Allowed ${scopes[answer.scope]}`;
  }
  if (answer.answer === 'refuse') return answer.reason ? `Refused: ${answer.reason}` : 'Refused';
  return answer.text;
}

export function QuestionView({ block }: { block: QuestionBlock }) {
  return (
    <div className="my-4 border-l-2 border-you-line pl-3">
      <p className="flex items-start gap-2 text-sm">
        <ShieldQuestion size={14} aria-hidden="true" className="text-you-ink mt-[3px] shrink-0" />
        <span className="wrap-anywhere">{block.question.text}</span>
      </p>
      {block.answer ? (
        <p className="text-sm text-ink-2 pl-[22px] wrap-anywhere" data-answer>
          {answerText(block.answer)}
          <span className="text-ink-3"> · {block.by}</span>
        </p>
      ) : (
        <p className="text-sm text-ink-3 pl-[22px]">Not answered.</p>
      )}
    </div>
  );
}
