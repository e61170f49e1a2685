/** One run of the list: what is wanted, how it stands, what it cost. */
import { Link } from '@tanstack/react-router';
import { memo } from 'react';
import type { Run } from '../../api/types';
import { count, lineChange, money, when } from '../../ui/format';
import { ScriptedLabel, Status } from '../../ui/Glyph';
import { runPath } from './path';

export const RunRow = memo(function RunRow({ run, showProject }: { run: Run; showProject: boolean }) {
  return (
    <li className="hair">
      <Link
        {...runPath(run)}
        className="grid grid-cols-[minmax(0,1fr)_auto] md:grid-cols-[112px_minmax(0,1fr)_auto] gap-x-4 gap-y-1 items-center min-h-[60px] py-2.5 px-2 rounded-md hover:bg-hover"
        data-run
      >
        <span className="max-md:order-2 max-md:justify-self-end">
          <Status state={run.state} />
        </span>
        <span className="min-w-0 max-md:order-1">
          <span className="block font-serif text-prose truncate">{run.goal}</span>
          <span className="flex flex-wrap items-center gap-x-3 text-xs text-ink-3">
            <span className="num">run {run.number}</span>
            {showProject && <span className="truncate">{run.project.name}</span>}
            <span className="font-mono truncate max-w-[240px] max-md:max-w-[150px]">{run.model}</span>
            {run.scripted && <ScriptedLabel />}
            <Why run={run} />
          </span>
        </span>
        <span className="max-md:order-3 max-md:col-span-2 flex md:flex-col md:items-end gap-x-3 text-xs text-ink-3 num whitespace-nowrap">
          <span className="text-ink-2">
            {count(run.turns, 'turn')} · {money(run.cost_micros)}
          </span>
          <span>
            {run.files.length > 0 && `${fileSummary(run)} · `}
            {when(run.changed_at_ms)}
          </span>
        </span>
      </Link>
    </li>
  );
});

function fileSummary(run: Run): string {
  const sum = (of: 'added' | 'removed') => run.files.reduce((total, file) => total + (file[of] ?? 0), 0);
  return `${count(run.files.length, 'file')} ${lineChange(sum('added'), sum('removed'))}`;
}

/** Why it stands where it stands, in the words that matter now. */
function Why({ run }: { run: Run }) {
  if (run.state === 'waiting' && run.question)
    return <span className="text-you-ink truncate max-w-[44ch]">{run.question.text}</span>;
  if (run.state === 'queued' && run.queue_position !== null)
    return <span>{run.queue_position === 0 ? 'next in line' : `${run.queue_position} ahead of it`}</span>;
  if (run.state === 'sleeping' && run.until_ms)
    return <span className="text-sleep-ink">until {when(run.until_ms)}</span>;
  if (run.reason && ['failed', 'budget_exceeded', 'paused'].includes(run.state))
    return <span className="truncate max-w-[52ch]">{run.reason.text}</span>;
  return null;
}
