/** Tries a model with one real call before it is used; a failure is told in the provider's own words. */
import { useMutation } from '@tanstack/react-query';
import { request } from '../../api/client';
import { modelsQuery, queryClient } from '../../api/queries';
import type { ModelTest } from '../../api/types';
import { Button } from '../../ui/Button';
import { duration } from '../../ui/format';
import { ErrorPanel } from '../../ui/states';

interface Props {
  model: string;
  /** Called once the model is the default. Left out, the model is only tested. */
  connected?(model: string): void;
}

export function TestAndUse({ model, connected }: Props) {
  const test = useMutation({
    mutationFn: (name: string) => request<ModelTest>('POST', '/v1/models/test', { body: { name } }),
  });
  const use = useMutation({
    mutationFn: async (name: string) => {
      await request('PUT', '/v1/models/default', { body: { name } });
      await queryClient.invalidateQueries({ queryKey: modelsQuery.queryKey });
    },
    onSuccess: (_, name) => connected?.(name),
  });
  const tested = test.data && test.variables === model ? test.data : null;
  return (
    <div className="flex flex-col gap-2 min-w-0">
      <div className="flex flex-wrap gap-2">
        <Button kind="line" disabled={model === '' || test.isPending} onClick={() => test.mutate(model)}>
          {test.isPending ? 'Testing' : 'Test it'}
        </Button>
        {connected && (
          <Button
            kind="solid"
            disabled={model === '' || use.isPending || tested?.ok === false}
            onClick={() => use.mutate(model)}
          >
            Use this model
          </Button>
        )}
      </div>
      {tested && <Outcome test={tested} />}
      {test.error && <ErrorPanel compact error={test.error} title="The test could not be made." />}
      {use.error && <ErrorPanel compact error={use.error} title="The model was not chosen." />}
    </div>
  );
}

function Outcome({ test }: { test: ModelTest }) {
  if (!test.ok)
    return (
      <div role="alert" className="rounded-md border border-bad/50 bg-bad-tint/60 px-3 py-2 text-sm">
        <p className="font-[600]">The provider refused.</p>
        <p className="font-mono text-xs mt-0.5 wrap-anywhere">{test.error ?? 'It gave no reason.'}</p>
      </div>
    );
  return (
    <p role="status" className="text-sm text-ok-ink">
      It answered in {duration(test.latency_ms)}
      {test.tools ? ' and can call tools.' : ', but it did not call the tool it was given. Runs need tools.'}
    </p>
  );
}
