/** Writes the result into the working tree, or says exactly why it would not. */
import { useMutation } from '@tanstack/react-query';
import { asProblem, request } from '../../api/client';
import type { Applied, Run } from '../../api/types';
import { Button } from '../../ui/Button';
import { count } from '../../ui/format';
import { ErrorPanel } from '../../ui/states';

const TITLES: Record<string, string> = {
  would_overwrite: 'Not applied: uncommitted changes would be overwritten.',
  base_moved: 'Not applied: the repository has moved on since the run began.',
};

export function ApplyButton({ run, applied }: { run: Run; applied: boolean }) {
  const apply = useMutation({
    mutationKey: ['apply', run.id],
    mutationFn: () => request<Applied>('POST', `/v1/runs/${run.id}/apply`, { body: {} }),
  });
  const problem = apply.error ? asProblem(apply.error) : null;
  return (
    <div className="flex flex-col gap-2 max-w-full">
      <div className="flex flex-wrap items-center gap-2">
        <Button
          kind={applied ? 'line' : 'solid'}
          disabled={apply.isPending || apply.isSuccess}
          onClick={() => apply.mutate()}
        >
          {apply.isPending ? 'Applying' : applied ? 'Apply again' : 'Apply to my working tree'}
        </Button>
        {apply.data && (
          <p role="status" className="text-sm text-ok-ink" data-applied>
            Applied: {count(apply.data.applied.length, 'file')} written in{' '}
            <code className="font-mono text-xs wrap-anywhere">{run.repository}</code>
          </p>
        )}
        {applied && !apply.data && <p className="text-sm text-ok-ink">Written to the working tree.</p>}
      </div>
      {problem && (
        <div>
          <ErrorPanel compact error={problem} title={TITLES[problem.code] ?? 'Not applied.'} />
          <Paths paths={problem.body.paths} />
          {problem.code === 'base_moved' && run.branch && (
            <p className="text-sm text-ink-2 mt-1">
              Merge the branch instead: <code className="font-mono text-xs">git merge {run.branch}</code>
            </p>
          )}
        </div>
      )}
    </div>
  );
}

function Paths({ paths }: { paths: unknown }) {
  if (!Array.isArray(paths) || paths.length === 0) return null;
  return (
    <ul aria-label="Files in the way" className="mt-1 font-mono text-xs text-ink-2">
      {paths.map((path) => (
        <li key={String(path)} className="wrap-anywhere">
          {String(path)}
        </li>
      ))}
    </ul>
  );
}
