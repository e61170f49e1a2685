/** What the run is about, how it stands, and its ribbon. */
import { Link } from '@tanstack/react-router';
import { GitBranch, Pause, Play, Square } from 'lucide-react';
import { useMemo } from 'react';
import type { Run } from '../../api/types';
import type { RunLog } from '../../log/blocks';
import { columnsOf, ribbonLabel } from '../../log/ribbon';
import { Button } from '../../ui/Button';
import { clock, clockSeconds, count, duration } from '../../ui/format';
import { ScriptedLabel, Status, wordOf } from '../../ui/Glyph';
import { Ribbon } from '../../ui/Ribbon';
import { ErrorPanel } from '../../ui/states';
import type { Facts } from './facts';
import { StopButton } from './StopButton';
import { useControl } from './useControl';

interface Props {
  run: Run;
  log: RunLog;
  facts: Facts;
}

export function Header({ run, log, facts }: Props) {
  const columns = useMemo(() => columnsOf(log.turns, facts.state), [log.turns, facts.state]);
  const control = useControl(run.id);
  const paused = facts.state === 'paused' || facts.state === 'sleeping';
  return (
    <header className="px-6 max-md:px-4 pt-4 max-md:pt-3 bg-paper">
      <nav aria-label="Breadcrumb" className="text-xs text-ink-3 flex items-center gap-1.5">
        <Link
          to="/"
          search={{ project: run.project.slug }}
          className="hover:underline min-h-6 flex items-center"
        >
          {run.project.name}
        </Link>
        <span aria-hidden="true">/</span>
        <span className="num">Run {run.number}</span>
      </nav>
      <div className="flex items-start gap-x-4 max-md:gap-x-2">
        <h1 className="font-serif text-xl max-md:text-lg tracking-[-.012em] text-balance flex-1 min-w-0 font-[480] line-clamp-2 wrap-anywhere">
          {run.goal}
        </h1>
        {!facts.ended && (
          <div className="flex items-center gap-1">
            <Button
              kind="line"
              disabled={control.isPending}
              onClick={() => control.mutate(paused ? 'resume' : 'pause')}
            >
              {paused ? <Play size={14} aria-hidden="true" /> : <Pause size={14} aria-hidden="true" />}
              <span className="max-md:sr-only">
                {facts.state === 'sleeping' ? 'Wake now' : paused ? 'Resume' : 'Pause'}
              </span>
            </Button>
            <StopButton disabled={control.isPending} stop={() => control.mutate('stop')}>
              <Square size={13} aria-hidden="true" />
              <span className="max-md:sr-only">Stop</span>
            </StopButton>
          </div>
        )}
      </div>
      {control.error && (
        <div className="mt-2">
          <ErrorPanel compact error={control.error} title="That did not work." />
        </div>
      )}
      <div className="flex items-center gap-x-4 gap-y-1 mt-1.5 flex-wrap text-xs text-ink-2">
        <Status state={facts.state}>{statusText(run, facts)}</Status>
        <span className="flex items-center gap-1.5 min-w-0">
          <span className="font-mono truncate max-w-[220px]" title={run.model}>
            {run.model}
          </span>
          {run.scripted && <ScriptedLabel />}
        </span>
        {facts.branch && (
          <span className="flex items-center gap-1.5 max-md:hidden min-w-0">
            <GitBranch size={13} aria-hidden="true" className="shrink-0" />
            <code className="font-mono truncate max-w-[420px]">{facts.branch}</code>
          </span>
        )}
        <Times run={run} />
      </div>
      <div className="mt-3 max-md:mt-2 pb-2 hair flex items-end gap-4">
        <div className="flex-1 min-w-0">
          <Ribbon
            columns={columns}
            height={34}
            stretch
            label={ribbonLabel({ turns: log.turns, state: log.state })}
          />
        </div>
        <span className="text-xs text-ink-3 num shrink-0">{count(facts.turns, 'turn')}</span>
      </div>
    </header>
  );
}

function statusText(run: Run, facts: Facts): string {
  const word = wordOf(facts.state);
  if (facts.state === 'waiting') {
    const kind = facts.question?.kind === 'approval' ? 'approval' : 'a decision';
    return facts.question ? `${word}: ${kind}` : word;
  }
  if (facts.state === 'sleeping' && facts.untilMs) return `${word} until ${clock(facts.untilMs)}`;
  if (facts.state === 'starting') return `${word}: preparing the sandbox`;
  if (facts.state === 'queued' && run.queue_position !== null)
    return run.queue_position > 0 ? `${word}: ${run.queue_position} ahead of it` : `${word}: next in line`;
  return word;
}

function Times({ run }: { run: Run }) {
  if (run.started_at_ms === null) return null;
  const ended = run.ended_at_ms;
  return (
    <span className="num max-md:hidden" title={clockSeconds(run.started_at_ms)}>
      started {clock(run.started_at_ms)}
      {ended !== null && `, took ${duration(ended - run.started_at_ms)}`}
    </span>
  );
}
