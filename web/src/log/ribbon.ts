/** The ribbon's columns: thought grows up, action hangs down, each relative to the run's largest. */
import type { RunLog, Turn } from './blocks';
import type { RunStateName } from './events';

export type Column =
  | { kind: 'turn'; up: number; down: number; failed: boolean; checkpoint: boolean }
  | { kind: 'slept' }
  | { kind: 'waiting' };

/** Columns of a run; the last one says that it waits for a person, or sleeps, where it does. */
export function columnsOf(turns: readonly Turn[], state: RunStateName | undefined): Column[] {
  const mostTokens = Math.max(1, ...turns.map((turn) => turn.outputTokens));
  const mostMs = Math.max(1, ...turns.map((turn) => turn.actionMs));
  const columns = turns.flatMap((turn): Column[] => {
    const column: Column = {
      kind: 'turn',
      up: Math.sqrt(turn.outputTokens / mostTokens),
      down: Math.sqrt(turn.actionMs / mostMs),
      failed: turn.failed,
      checkpoint: turn.checkpoint,
    };
    return turn.slept ? [{ kind: 'slept' }, column] : [column];
  });
  if (state === 'waiting') columns.push({ kind: 'waiting' });
  if (state === 'sleeping' || state === 'paused') columns.push({ kind: 'slept' });
  return columns;
}

/** The ribbon in one sentence, for those who do not see it. */
export function ribbonLabel(log: Pick<RunLog, 'turns' | 'state'>): string {
  const count = (test: (turn: Turn) => boolean) => log.turns.filter(test).length;
  const turns = log.turns.length === 1 ? '1 turn' : `${log.turns.length} turns`;
  const waiting = log.state?.state === 'waiting' ? ' Now waiting for you.' : '';
  return `${turns}, ${count((t) => t.failed)} with a failed action, ${count((t) => t.checkpoint)} that changed files.${waiting}`;
}
