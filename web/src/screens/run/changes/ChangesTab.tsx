/** The change so far: its files, each as a unified diff, and the ways to take it. */
import { useQuery } from '@tanstack/react-query';
import { Download } from 'lucide-react';
import { useEffect } from 'react';
import { diffQuery } from '../../../api/queries';
import type { Diff, Run } from '../../../api/types';
import type { RunLog } from '../../../log/blocks';
import { buttonClass } from '../../../ui/Button';
import { count } from '../../../ui/format';
import { ErrorPanel, Loading } from '../../../ui/states';
import { ApplyButton } from '../ApplyButton';
import { CopyButton } from '../CopyButton';
import type { Facts } from '../facts';
import { DiffFileView } from './DiffFileView';

interface Props {
  run: Run;
  log: RunLog;
  facts: Facts;
}

export default function ChangesTab({ run, log, facts }: Props) {
  const diff = useQuery(diffQuery(run.id));
  const { refetch } = diff;
  // biome-ignore lint/correctness/useExhaustiveDependencies: changed files in the log make the diff stale
  useEffect(() => void refetch(), [log.files, log.delivery, refetch]);
  if (diff.data && diff.data.files.length > 0)
    return <Changes run={run} diff={diff.data} log={log} facts={facts} />;
  if (diff.isPending)
    return (
      <div className="p-4">
        <Loading label="Loading the changes" />
      </div>
    );
  if (diff.error && log.files.length > 0)
    return (
      <div className="p-4">
        <ErrorPanel
          error={diff.error}
          title="The changes could not be read."
          retry={() => void diff.refetch()}
        />
      </div>
    );
  return (
    <p className="p-5 text-sm text-ink-2">
      {facts.ended ? 'The run changed no file.' : 'No file changed yet.'}
    </p>
  );
}

function Changes({ run, diff, log, facts }: Props & { diff: Diff }) {
  const added = diff.files.reduce((sum, file) => sum + (file.added ?? 0), 0);
  const removed = diff.files.reduce((sum, file) => sum + (file.removed ?? 0), 0);
  const delivered = log.delivery !== null && log.delivery.branch !== '';
  return (
    <div>
      <div className="px-4 py-3 flex flex-col gap-3 hair">
        <p className="text-sm num">
          {count(diff.files.length, 'file')}, <span className="text-ok-ink">+{added}</span>{' '}
          <span className="text-bad-ink">−{removed}</span>
          {facts.branch && (
            <code className="font-mono text-xs text-ink-2 ml-3 wrap-anywhere">{facts.branch}</code>
          )}
        </p>
        <div className="flex flex-wrap items-start gap-2">
          {delivered && facts.ended && <ApplyButton run={run} applied={log.delivery?.applied ?? false} />}
          <a
            href={`/v1/runs/${run.id}/diff?format=patch`}
            download={`run-${run.number}.patch`}
            className={buttonClass('line')}
          >
            <Download size={14} aria-hidden="true" />
            Patch
          </a>
          {delivered && facts.branch && (
            <CopyButton text={`git merge ${facts.branch}`}>Copy the git command</CopyButton>
          )}
        </div>
        {!delivered && !facts.ended && (
          <p className="text-xs text-ink-3">
            This is the work so far. It can be applied when the run has succeeded.
          </p>
        )}
      </div>
      {diff.files.map((file) => (
        <DiffFileView key={file.path} file={file} />
      ))}
    </div>
  );
}
