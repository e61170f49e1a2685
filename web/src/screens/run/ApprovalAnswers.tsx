/** Allow once, allow for this run, or refuse and say why. */
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { Button, Kbd } from '../../ui/Button';
import type { AnswerProps } from './QuestionCard';

interface Props extends AnswerProps {
  refusing: boolean;
  setRefusing(refusing: boolean): void;
}

export function ApprovalAnswers({ disabled, send, refusing, setRefusing }: Props) {
  if (refusing) return <Refusal disabled={disabled} send={send} cancel={() => setRefusing(false)} />;
  return (
    <div className="flex flex-wrap items-center gap-2 px-4 pb-3">
      <Button kind="solid" disabled={disabled} onClick={() => send({ answer: 'allow', scope: 'once' })}>
        Allow once <Kbd>A</Kbd>
      </Button>
      <Button kind="line" disabled={disabled} onClick={() => send({ answer: 'allow', scope: 'run' })}>
        Allow for this run
      </Button>
      <Button disabled={disabled} onClick={() => setRefusing(true)}>
        Refuse and say why <Kbd>R</Kbd>
      </Button>
    </div>
  );
}

interface RefusalProps {
  disabled: boolean;
  send: AnswerProps['send'];
  cancel(): void;
}

function Refusal({ disabled, send, cancel }: RefusalProps) {
  const [reason, setReason] = useState('');
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send({ answer: 'refuse', reason: reason.trim() });
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-center gap-2 px-4 pb-3">
      <label htmlFor="refusal" className="sr-only">
        Why it may not run
      </label>
      <input
        id="refusal"
        ref={field}
        className="field flex-1 min-w-[200px]"
        placeholder="Why, for the agent to read"
        value={reason}
        onChange={(event) => setReason(event.target.value)}
      />
      <Button kind="solid" type="submit" disabled={disabled}>
        Refuse
      </Button>
      <Button disabled={disabled} onClick={cancel}>
        Back
      </Button>
    </form>
  );
}
