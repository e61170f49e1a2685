/** What came of the run: how we know, where it is, what to do next; or why it failed. */
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import type { Evidence, Run } from '../../api/types';
import type { RunLog } from '../../log/blocks';
import type { Reason, RunState } from '../../log/events';
import { buttonClass } from '../../ui/Button';
import { count, lineChange } from '../../ui/format';
import { Glyph, toneOf, wordOf } from '../../ui/Glyph';
import { Words } from '../../ui/Words';
import { ApplyButton } from './ApplyButton';
import { CopyButton } from './CopyButton';

interface Props {
  run: Run;
  log: RunLog;
}

const BORDERS = { ok: 'border-ok/60', bad: 'border-bad/60', idle: 'border-line-strong' };

export function ResultCard({ run, log }: Props) {
  const state: RunState | null = log.state;
  if (!state) return null;
  const tone = toneOf(state.state);
  const border = tone === 'ok' || tone === 'bad' ? BORDERS[tone] : BORDERS.idle;
  return (
    <section aria-label="Result" className={`mt-5 rounded-lg border bg-surface p-4 ${border}`} data-result>
      <h2 className="flex items-center gap-2 font-serif text-lg">
        <Glyph tone={tone} stopped={state.state === 'cancelled'} size={12} />
        {wordOf(state.state)}
      </h2>
      {state.state === 'succeeded' ? (
        <Success run={run} log={log} evidence={state.evidence} />
      ) : (
        'reason' in state && <Failure reason={state.reason} log={log} run={run} />
      )}
    </section>
  );
}

function evidenceText(evidence: Evidence): ReactNode {
  switch (evidence.evidence) {
    case 'check_passed':
      return (
        <>
          The check <code className="font-mono text-xs">{evidence.command}</code> passed after the last
          change.
        </>
      );
    case 'check_not_run':
      return (
        <>
          The check <code className="font-mono text-xs">{evidence.command}</code> could not be run:{' '}
          {evidence.reason}. Nobody but the agent checked this. Read the changes first.
        </>
      );
    case 'no_check':
      return 'No check command was found, so nobody but the agent checked this. Read the changes first.';
    case 'nothing_to_change':
      return `Nothing to change: ${evidence.explanation}`;
  }
}

function Success({ run, log, evidence }: Props & { evidence: Evidence }) {
  const { delivery } = log;
  return (
    <>
      <p className="text-base text-ink-2 mt-1 wrap-anywhere">{evidenceText(evidence)}</p>
      {delivery && delivery.branch !== '' && (
        <>
          <Branch log={log} />
          <div className="flex flex-wrap items-start gap-2 mt-3">
            <ApplyButton run={run} applied={delivery.applied} />
            <Link to="." search={{ tab: 'changes' }} className={buttonClass('line')}>
              See the changes
            </Link>
            <CopyButton text={`git merge ${delivery.branch}`}>Copy the git command</CopyButton>
          </div>
        </>
      )}
      {run.scripted && (
        <p className="text-sm text-ink-2 mt-3">
          That was a script.{' '}
          <Link to="/welcome" search={{ pick: 'key' }} className="link">
            Connect a model
          </Link>{' '}
          to work on a repository of your own.
        </p>
      )}
    </>
  );
}

function Branch({ log }: { log: RunLog }) {
  const { delivery, files } = log;
  if (!delivery) return null;
  const sum = (of: 'added' | 'removed') => files.reduce((total, file) => total + (file[of] ?? 0), 0);
  return (
    <dl className="mt-3 grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-0.5 text-sm">
      <dt className="text-ink-3">Branch</dt>
      <dd className="font-mono text-xs leading-5 wrap-anywhere" data-branch>
        {delivery.branch}
      </dd>
      <dt className="text-ink-3">Commits</dt>
      <dd className="num">
        {delivery.commits}, <code className="font-mono text-xs">{delivery.commit.slice(0, 10)}</code>
      </dd>
      <dt className="text-ink-3">Changes</dt>
      <dd className="num">
        {count(files.length, 'file')}, {lineChange(sum('added'), sum('removed'))}
      </dd>
    </dl>
  );
}

function Failure({ reason, run, log }: Props & { reason: Reason }) {
  return (
    <>
      <p className="text-base mt-1 wrap-anywhere">
        <Words text={reason.text} />
      </p>
      {reason.fix && (
        <p className="text-base text-ink-2 mt-1 wrap-anywhere">
          <Words text={reason.fix} />
        </p>
      )}
      <p className="mt-1">
        <code className="font-mono text-xs text-ink-3">{reason.code}</code>
      </p>
      {log.files.length > 0 && (
        <p className="mt-3 flex flex-wrap items-center gap-2">
          <Link to="." search={{ tab: 'changes' }} className={buttonClass('line')}>
            See what it had changed
          </Link>
        </p>
      )}
      <p className="text-sm text-ink-2 mt-3">
        {run.scripted ? (
          <Link to="/welcome" search={{ pick: 'key' }} className="link">
            Connect a model
          </Link>
        ) : (
          `Write below how it should go on with the same ${run.branch ? 'branch' : 'goal'}.`
        )}
      </p>
    </>
  );
}
