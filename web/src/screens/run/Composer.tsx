/** Words for the run: it reads them before its next step; a finished run goes on from them. */
import { useMutation } from '@tanstack/react-query';
import { CornerDownLeft } from 'lucide-react';
import { type FormEvent, type KeyboardEvent, useState } from 'react';
import { newIdempotencyKey, request } from '../../api/client';
import { rememberRun } from '../../api/queries';
import type { Run } from '../../api/types';
import { Button } from '../../ui/Button';
import { ErrorPanel } from '../../ui/states';
import type { Facts } from './facts';

/** Kept while the page lives, so that a switch of tabs loses no words. */
const drafts = new Map<string, string>();

export function Composer({ run, facts }: { run: Run; facts: Facts }) {
  const [text, setText] = useState(drafts.get(run.id) ?? '');
  const [key, setKey] = useState(newIdempotencyKey);
  const write = (value: string) => {
    drafts.set(run.id, value);
    setText(value);
  };
  const send = useMutation({
    mutationFn: async (words: string) => {
      const options = { idempotencyKey: key };
      if (facts.ended)
        rememberRun(
          await request<Run>('POST', `/v1/runs/${run.id}/continue`, { ...options, body: { goal: words } }),
        );
      else await request('POST', `/v1/runs/${run.id}/messages`, { ...options, body: { text: words } });
    },
    onSuccess: () => {
      write('');
      setKey(newIdempotencyKey());
    },
  });
  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    if (text.trim() !== '' && !send.isPending) send.mutate(text.trim());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit();
  };
  const label = facts.ended ? 'Follow-up for this run' : 'Message to the run';
  return (
    <form onSubmit={submit}>
      {send.error && (
        <div className="mb-2">
          <ErrorPanel compact error={send.error} title="The message was not sent." />
        </div>
      )}
      <div className="panel flex items-end gap-2 p-2 focus-within:border-line-strong">
        <label htmlFor="message" className="sr-only">
          {label}
        </label>
        <textarea
          id="message"
          rows={Math.min(6, text.split('\n').length)}
          value={text}
          onChange={(event) => write(event.target.value)}
          onKeyDown={onKeyDown}
          placeholder={
            facts.ended
              ? 'Ask for more. It goes on with the same branch and context.'
              : 'Steer this run. It reads your note before the next step.'
          }
          className="flex-1 min-w-0 resize-none bg-transparent px-1.5 py-[5px] text-base outline-none placeholder:text-ink-3"
        />
        <Button kind="solid" type="submit" disabled={text.trim() === '' || send.isPending}>
          {facts.ended ? 'Continue' : 'Send'} <CornerDownLeft size={13} aria-hidden="true" />
        </Button>
      </div>
    </form>
  );
}
