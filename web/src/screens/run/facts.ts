/** What is true of a run now: the log where it is ahead, the server's view of the run where that is. */
import type { Run } from '../../api/types';
import type { RunLog } from '../../log/blocks';
import type { Question, Reason, RunStateName } from '../../log/events';
import { isTerminal } from '../../log/reduce';

export interface Facts {
  state: RunStateName;
  reason: Reason | null;
  untilMs: number | null;
  question: Question | null;
  turns: number;
  costMicros: number | null;
  contextTokens: number;
  branch: string | null;
  ended: boolean;
}

export function factsOf(run: Run, log: RunLog): Facts {
  const ahead = log.lastSeq >= run.last_seq && log.state !== null;
  const shared = {
    question: openQuestion(run, log, ahead),
    branch: log.delivery?.branch || log.sandbox?.branch || run.branch,
  };
  if (!ahead || !log.state)
    return {
      ...shared,
      state: run.state,
      reason: run.reason,
      untilMs: run.until_ms,
      turns: run.turns,
      costMicros: run.cost_micros,
      contextTokens: run.context_tokens,
      ended: isTerminal(run.state),
    };
  const { state } = log;
  return {
    ...shared,
    state: state.state,
    reason: 'reason' in state ? state.reason : null,
    untilMs: state.state === 'sleeping' ? state.until_ms : null,
    turns: log.turns.at(-1)?.turn ?? run.turns,
    costMicros: log.costMicros,
    contextTokens: log.contextTokens,
    ended: isTerminal(state.state),
  };
}

function openQuestion(run: Run, log: RunLog, ahead: boolean): Question | null {
  if (log.openQuestion !== null) {
    const block = log.blocks[log.questionAt[log.openQuestion] ?? -1];
    if (block?.kind === 'question') return block.question;
  }
  return !ahead && run.question?.state === 'open' ? run.question : null;
}
