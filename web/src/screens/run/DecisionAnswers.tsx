/** The suggested answers as buttons, and words of one's own. */
import { type FormEvent, useState } from 'react';
import { Button } from '../../ui/Button';
import type { AnswerProps } from './QuestionCard';

export function DecisionAnswers({ question, disabled, send }: AnswerProps) {
  const [text, setText] = useState('');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() !== '') send({ answer: 'text', text: text.trim() });
  };
  const options = question.options ?? [];
  return (
    <div className="px-4 pb-3 flex flex-col gap-2">
      {options.length > 0 && (
        <div className="flex flex-wrap gap-2">
          {options.map((option, index) => (
            <Button
              key={option}
              kind={index === 0 ? 'solid' : 'line'}
              disabled={disabled}
              onClick={() => send({ answer: 'text', text: option })}
              className="!h-auto min-h-8 max-md:min-h-10 py-1 !whitespace-normal text-left"
            >
              {option}
            </Button>
          ))}
        </div>
      )}
      <form onSubmit={submit} className="flex gap-2">
        <label htmlFor="decision" className="sr-only">
          Your own answer
        </label>
        <input
          id="decision"
          className="field flex-1"
          placeholder="Or answer in your own words"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <Button kind="line" type="submit" disabled={disabled || text.trim() === ''}>
          Answer
        </Button>
      </form>
    </div>
  );
}
