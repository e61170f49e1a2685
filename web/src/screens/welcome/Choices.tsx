/** Demo, a model on this machine, or a provider's key. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type ReactNode, useId, useState } from 'react';
import type { Choice } from '../../addresses';
import { request } from '../../api/client';
import { modelsQuery, rememberRun } from '../../api/queries';
import type { Run } from '../../api/types';
import { Button } from '../../ui/Button';
import { ErrorPanel, Loading } from '../../ui/states';
import { runPath } from '../runs/path';
import { KeyChoice } from './KeyChoice';
import { LocalChoice } from './LocalChoice';

export function Choices({ first, connected }: { first: Choice; connected(model: string): void }) {
  const [choice, setChoice] = useState<Choice>(first);
  const models = useQuery(modelsQuery);
  const option = (value: Choice) => ({ chosen: choice === value, choose: () => setChoice(value) });
  return (
    <>
      <fieldset className="min-w-0 flex flex-col gap-3">
        <legend className="sr-only">Who should do the thinking</legend>
        <Option
          {...option('demo')}
          title="Watch the demo model first"
          about="A scripted agent fixes a real bug in a sample shop. Real sandbox, real tests, real diff. Only its words are written in advance. About a minute."
        />
        <Option
          {...option('local')}
          title="Use a model on this machine"
          about={localSummary(models.data?.local.length)}
        >
          {models.data && (
            <LocalChoice
              servers={models.data.local}
              refresh={() => void models.refetch()}
              connected={connected}
            />
          )}
        </Option>
        <Option
          {...option('key')}
          title="Use a provider key"
          about="Anthropic, OpenAI, Google, or any OpenAI-compatible address."
        >
          {models.data && <KeyChoice models={models.data} connected={connected} />}
        </Option>
      </fieldset>
      {choice !== 'demo' && models.isPending && <Loading label="Looking for models" rows={1} />}
      {choice !== 'demo' && models.error && (
        <div className="mt-4">
          <ErrorPanel
            error={models.error}
            title="The models could not be read."
            retry={() => void models.refetch()}
          />
        </div>
      )}
      {choice === 'demo' && <StartDemo />}
    </>
  );
}

function localSummary(found: number | undefined): string {
  if (found === undefined) return 'Looking for Ollama, llama.cpp, LM Studio and vLLM.';
  if (found === 0)
    return 'None found: Ollama, llama.cpp, LM Studio and vLLM were looked for at their usual ports.';
  return found === 1 ? 'One server found.' : `${found} servers found.`;
}

interface OptionProps {
  chosen: boolean;
  choose(): void;
  title: string;
  about: string;
  children?: ReactNode;
}

function Option({ chosen, choose, title, about, children }: OptionProps) {
  const id = useId();
  return (
    <div
      className={`rounded-lg border bg-surface has-[>label>input:focus-visible]:outline-2 has-[>label>input:focus-visible]:outline-focus has-[>label>input:focus-visible]:outline-offset-2 ${chosen ? 'border-ink shadow-[inset_0_0_0_1px_var(--ink)]' : 'border-line hover:border-line-strong'}`}
    >
      <label htmlFor={id} className="flex gap-3.5 p-4 cursor-pointer">
        <input
          id={id}
          type="radio"
          name="who"
          className="mt-1 size-4 shrink-0 accent-[var(--ink)] outline-none"
          checked={chosen}
          onChange={choose}
        />
        <span className="flex-1 min-w-0">
          <span className="text-base font-[600] block">{title}</span>
          <span className="text-sm text-ink-2 block">{about}</span>
        </span>
      </label>
      {chosen && children && <div className="px-4 pb-4 pl-[46px] max-md:pl-4">{children}</div>}
    </div>
  );
}

function StartDemo() {
  const navigate = useNavigate();
  const start = useMutation({
    mutationFn: () => request<Run>('POST', '/v1/demo', { body: {} }),
    onSuccess: (run) => {
      rememberRun(run);
      void navigate(runPath(run));
    },
  });
  return (
    <div className="mt-6">
      {start.error && (
        <div className="mb-4">
          <ErrorPanel error={start.error} title="The demo did not start." />
        </div>
      )}
      <div className="flex items-center gap-3 max-md:flex-col max-md:items-stretch">
        <Button
          kind="solid"
          className="!h-10 !px-5"
          disabled={start.isPending || start.isSuccess}
          onClick={() => start.mutate()}
        >
          {start.isPending ? 'Starting the demo' : 'Start the demo'}
        </Button>
        <span className="text-xs text-ink-3">Nothing leaves this machine, and it costs nothing.</span>
      </div>
    </div>
  );
}
