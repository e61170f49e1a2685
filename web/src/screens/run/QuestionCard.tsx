/** What only a person can answer. The buttons wait for the server's word. */
import { useMutation } from '@tanstack/react-query';
import { MessageCircleQuestion, ShieldQuestion } from 'lucide-react';
import { type KeyboardEvent, useState } from 'react';
import { asProblem, request } from '../../api/client';
import { queryClient } from '../../api/queries';
import type { Answer, Run } from '../../api/types';
import type { Question } from '../../log/events';
import { useCommands } from '../../shell/keys';
import { ErrorPanel } from '../../ui/states';
import { ApprovalAnswers } from './ApprovalAnswers';
import { DecisionAnswers } from './DecisionAnswers';

interface Props {
  run: Run;
  question: Question;
  /** Told before this page's own answer leaves. */
  answering(question: string): void;
}

export interface AnswerProps {
  question: Question;
  disabled: boolean;
  send(answer: Answer): void;
}

export function QuestionCard({ run, question, answering }: Props) {
  const [refusing, setRefusing] = useState(false);
  const answer = useMutation({
    mutationFn: (body: Answer) => {
      answering(question.id);
      return request('POST', `/v1/questions/${question.id}/answer`, { body });
    },
    onSettled: () => void queryClient.invalidateQueries({ queryKey: ['run', run.id] }),
  });
  const approval = question.kind === 'approval';
  const disabled = answer.isPending || answer.isSuccess;
  const allow = () => answer.mutate({ answer: 'allow', scope: 'once' });
  useCommands(
    approval
      ? [
          { id: 'allow', keys: 'a', scope: 'Question', label: 'Allow once', run: allow, local: true },
          {
            id: 'refuse',
            keys: 'r',
            scope: 'Question',
            label: 'Refuse and say why',
            run: () => {},
            local: true,
          },
        ]
      : [],
  );
  /** Letters act only while the card itself has the focus, so that a stray key can allow nothing. */
  const onKeyDown = (event: KeyboardEvent) => {
    const typing = event.target instanceof HTMLElement && event.target.closest('input, textarea');
    if (!approval || disabled || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'a') allow();
    if (event.key === 'r') {
      event.preventDefault();
      setRefusing(true);
    }
  };
  const Icon = approval ? ShieldQuestion : MessageCircleQuestion;
  return (
    <section
      id="question"
      aria-labelledby="question-text"
      tabIndex={-1}
      onKeyDown={onKeyDown}
      data-question={question.kind}
      className="mb-2 rounded-lg border border-you-line bg-you-tint/60 max-h-[56dvh] overflow-y-auto"
    >
      <div className="px-4 pt-3 pb-3">
        <h3 id="question-text" className="flex items-start gap-2 text-base font-[620]">
          <Icon size={16} className="text-you-ink mt-[3px] shrink-0" aria-hidden="true" />
          <span className="wrap-anywhere">{question.text}</span>
        </h3>
        {question.detail && <Detail text={question.detail} approval={approval} />}
      </div>
      {approval ? (
        <ApprovalAnswers
          question={question}
          disabled={disabled}
          send={answer.mutate}
          refusing={refusing}
          setRefusing={setRefusing}
        />
      ) : (
        <DecisionAnswers question={question} disabled={disabled} send={answer.mutate} />
      )}
      {answer.error && (
        <div className="px-4 pb-3">
          <ErrorPanel
            compact
            error={answer.error}
            title={
              asProblem(answer.error).code === 'question_answered'
                ? 'Someone else answered first.'
                : 'The answer did not arrive.'
            }
          />
        </div>
      )}
    </section>
  );
}

/** A command stays as it was given; a reason reads as prose. */
function Detail({ text, approval }: { text: string; approval: boolean }) {
  if (!approval)
    return <p className="mt-1 pl-6 text-sm text-ink-2 whitespace-pre-wrap wrap-anywhere">{text}</p>;
  return (
    <section
      data-scroll-x
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keys
      tabIndex={0}
      aria-label="What it wants to do"
      className="mt-2 whitespace-pre font-mono text-xs leading-[19px] bg-surface border border-line rounded-md px-3 py-2 max-h-[180px] overflow-auto"
    >
      {text}
    </section>
  );
}
