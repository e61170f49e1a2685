/** The ribbon's columns: thought grows up, action hangs down, each relative to the run's largest. */
import type { RunLog, Turn } from './blocks';
import type { RunStateName } from './events';

export type Column =
  | { kind: 'turn'; up: number; down: number; failed: boolean; checkpoint: boolean }
  | { kind: 'slept' }
  | { kind: 'waiting' };

/** More columns than this cannot be told apart: turns share them. */
const MOST_COLUMNS = 240;

/** Turns that share a column; what stands out in one of them stands out in the column. */
function shared(turns: readonly Turn[]): Turn[] {
  const size = Math.ceil(turns.length / MOST_COLUMNS);
  if (size <= 1) return [...turns];
  const groups = Array.from({ length: Math.ceil(turns.length / size) }, (_, at) =>
    turns.slice(at * size, (at + 1) * size),
  );
  return groups.map((group) => ({
    turn: group.at(-1)?.turn ?? 0,
    outputTokens: Math.max(...group.map((turn) => turn.outputTokens)),
    actionMs: Math.max(...group.map((turn) => turn.actionMs)),
    failed: group.some((turn) => turn.failed),
    checkpoint: group.some((turn) => turn.checkpoint),
    slept: group.some((turn) => turn.slept),
  }));
}

/** Columns of a run; the last one says that it waits for a person, or sleeps, where it does. */
export function columnsOf(all: readonly Turn[], state: RunStateName | undefined): Column[] {
  const turns = shared(all);
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
