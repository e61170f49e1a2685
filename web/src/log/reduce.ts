/**
 * From events to what the Run page shows. Pure: the log that goes in is never changed. One call takes a
 * whole batch, so that a frame's worth of events copies the log once.
 */
import type { Block, LiveTurn, RunLog, StepBlock, Turn } from './blocks';
import { endCommand, printLive, startCommand } from './commands';
import type { Envelope, EventData, EventKind, LiveMessage, TaskLine, Usage } from './events';

/** The first sequence number that is missing, when a batch does not follow on from the log. */
export type Fold = { log: RunLog; missingAfter: number | null };

/** Applies events in order; skips what the log already holds and stops before a gap. */
export function applyEvents(log: RunLog, events: readonly Envelope[]): Fold {
  const draft = draftOf(log);
  for (const event of events) {
    if (event.seq <= draft.lastSeq) continue;
    if (event.seq !== draft.lastSeq + 1) return { log: draft, missingAfter: draft.lastSeq };
    applyOne(draft, event);
  }
  return { log: draft, missingAfter: null };
}

/** Applies what streams; words of a turn that was already answered are dropped. */
export function applyLive(log: RunLog, messages: readonly LiveMessage[]): RunLog {
  const draft = draftOf(log);
  for (const message of messages) {
    if (message.kind === 'live.text' || message.kind === 'live.thinking') {
      addWords(draft, message.kind, message.data as { turn: number; text: string });
    } else if (message.kind === 'live.output') {
      const { call_id, text } = message.data as { call_id: string; text: string };
      printLive(draft.commands, call_id, text);
    }
  }
  return draft;
}

/** The log without what streams at the moment; the server tells that again from its beginning. */
export function forgetLive(log: RunLog): RunLog {
  const commands = log.commands.map((entry) =>
    entry.outcome === 'running' && entry.text !== '' ? { ...entry, text: '', whole: true } : entry,
  );
  return { ...log, commands, live: null };
}

function draftOf(log: RunLog): RunLog {
  return {
    ...log,
    blocks: [...log.blocks],
    turns: [...log.turns],
    commands: [...log.commands],
    artifacts: [...log.artifacts],
    stepAt: { ...log.stepAt },
    questionAt: { ...log.questionAt },
  };
}

type Handlers = { [K in EventKind]: (draft: RunLog, data: EventData[K], event: Envelope) => void };

function applyOne(draft: RunLog, event: Envelope): void {
  draft.lastSeq = event.seq;
  draft.lastAtMs = event.at_ms;
  if (!Object.hasOwn(handlers, event.kind)) return;
  const handler = handlers[event.kind as EventKind] as (d: RunLog, data: unknown, e: Envelope) => void;
  handler(draft, event.data, event);
}

const handlers: Handlers = {
  'run.created': (draft, spec, event) => {
    draft.spec = spec;
    push(draft, event, { kind: 'goal', text: spec.goal, by: spec.by, followUp: false });
  },
  'run.continued': (draft, { goal, by }, event) => {
    push(draft, event, { kind: 'goal', text: goal, by, followUp: true });
  },
  'run.state': changeState,
  'sandbox.ready': (draft, ready, event) => {
    const again = draft.sandbox !== null;
    draft.sandbox = ready;
    push(draft, event, { kind: 'sandbox', text: ready.isolation, again, lost: ready.lost_processes ?? [] });
  },
  'turn.asked': (draft, { turn, context_tokens }) => {
    openTurn(draft, turn);
    draft.contextTokens = context_tokens;
    draft.live = null;
  },
  'turn.answered': answerTurn,
  'turn.failed': (draft, { reason, retry_at_ms }, event) => {
    draft.live = null;
    push(draft, event, { kind: 'trouble', reason, retryAtMs: retry_at_ms ?? null });
  },
  'tool.started': startTool,
  'tool.ended': endTool,
  narration: (draft, { text }, event) => push(draft, event, { kind: 'prose', text }),
  'tasks.updated': (draft, { tasks }, event) => {
    const news = tasks.filter((task) => !draft.tasks.some((old) => sameTask(old, task)));
    const first = !tasks.some((task) => draft.tasks.some((old) => old.title === task.title));
    draft.tasks = tasks;
    if (news.length > 0) push(draft, event, { kind: 'tasks', tasks: first ? tasks : news, first });
  },
  'question.asked': (draft, question, event) => {
    draft.openQuestion = question.id;
    draft.questionAt[question.id] = draft.blocks.length;
    push(draft, event, { kind: 'question', question, answer: null, by: null });
  },
  'question.answered': answerQuestion,
  'message.said': (draft, { text, by }, event) => push(draft, event, { kind: 'message', text, by }),
  'context.compacted': (draft, { summary, usage, cost }, event) => {
    spend(draft, usage, cost);
    push(draft, event, { kind: 'compacted', summary });
  },
  'files.changed': (draft, { files }, event) => {
    draft.files = files;
    changeLastTurn(draft, (turn) => ({ ...turn, checkpoint: true }));
    push(draft, event, { kind: 'checkpoint', files });
  },
  'check.ran': (draft, { command, exit_code, output, duration_ms }, event) => {
    push(draft, event, { kind: 'check', command, exitCode: exit_code, output, durationMs: duration_ms });
  },
  'delivery.made': (draft, delivery, event) => {
    const again = draft.delivery?.commit === delivery.commit;
    draft.delivery = delivery;
    push(draft, event, { kind: 'delivery', delivery, again });
  },
  'artifact.kept': (draft, artifact) => {
    draft.artifacts.push(artifact);
  },
  notice: (draft, reason, event) => push(draft, event, { kind: 'notice', reason }),
};

const sameTask = (a: TaskLine, b: TaskLine): boolean => a.title === b.title && a.state === b.state;

type BlockBody = Block extends infer B ? (B extends Block ? Omit<B, 'id' | 'atMs' | 'turn'> : never) : never;

function push(draft: RunLog, event: Envelope, body: BlockBody, part = 0): void {
  const id = part === 0 ? `e${event.seq}` : `e${event.seq}.${part}`;
  const turn = draft.turns.at(-1)?.turn ?? 0;
  draft.blocks.push({ ...body, id, atMs: event.at_ms, turn } as Block);
}

function changeState(draft: RunLog, state: EventData['run.state'], event: Envelope): void {
  const before = draft.state?.state;
  draft.state = state;
  if (state.state !== 'waiting') draft.openQuestion = null;
  if (isTerminal(state.state)) draft.live = null;
  const resumed = state.state === 'queued' && (before === 'paused' || before === 'sleeping');
  const worthSaying =
    resumed || isTerminal(state.state) || state.state === 'paused' || state.state === 'sleeping';
  if (worthSaying && before !== state.state) push(draft, event, { kind: 'state', state });
}

/** Whether a run in this state has ended (a follow-up may still continue it). */
export function isTerminal(state: string): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled' || state === 'budget_exceeded';
}

function openTurn(draft: RunLog, turn: number): void {
  if (draft.turns.at(-1)?.turn === turn) return;
  const last = draft.blocks.at(-1);
  const slept = last?.kind === 'state' && last.state.state === 'queued';
  draft.turns.push({ turn, outputTokens: 0, actionMs: 0, failed: false, checkpoint: false, slept });
}

function changeLastTurn(draft: RunLog, change: (turn: Turn) => Turn): void {
  const last = draft.turns.at(-1);
  if (last) draft.turns[draft.turns.length - 1] = change(last);
}

function answerTurn(draft: RunLog, answered: EventData['turn.answered'], event: Envelope): void {
  draft.live = null;
  draft.answeredTurn = answered.turn;
  spend(draft, answered.usage, answered.cost);
  draft.contextTokens =
    answered.usage.input_tokens + answered.usage.cache_read_tokens + answered.usage.cache_write_tokens;
  changeLastTurn(draft, (turn) => ({
    ...turn,
    outputTokens: turn.outputTokens + answered.usage.output_tokens,
  }));
  answered.parts.forEach((part, index) => {
    if (part.type === 'tool_call' || part.text.trim() === '') return;
    push(draft, event, { kind: part.type === 'text' ? 'prose' : 'thinking', text: part.text }, index);
  });
}

/** What these tools do is told by events of their own. */
const TOLD_OTHERWISE = new Set(['narrate', 'ask_user', 'update_tasks']);

function startTool(draft: RunLog, { call, label }: EventData['tool.started'], event: Envelope): void {
  if (draft.stepAt[call.id] !== undefined) return;
  draft.toolCalls += 1;
  startCommand(draft, call);
  if (TOLD_OTHERWISE.has(call.tool)) return;
  draft.stepAt[call.id] = draft.blocks.length;
  push(draft, event, {
    kind: 'step',
    callId: call.id,
    tool: call.tool,
    verb: label.verb,
    target: label.target,
    input: call.arguments,
    outcome: 'running',
    summary: '',
    output: '',
    artifact: null,
    durationMs: null,
  });
}

function endTool(draft: RunLog, ended: EventData['tool.ended'], event: Envelope): void {
  endCommand(draft, ended);
  const failed = ended.outcome === 'failed' || ended.outcome === 'interrupted';
  changeLastTurn(draft, (turn) => ({
    ...turn,
    actionMs: turn.actionMs + ended.duration_ms,
    failed: turn.failed || failed,
  }));
  if (ended.artifact) draft.artifacts.push(ended.artifact);
  if (TOLD_OTHERWISE.has(ended.tool) && !failed) return;
  const after = {
    outcome: ended.outcome,
    summary: ended.summary,
    output: ended.output,
    artifact: ended.artifact ?? null,
    durationMs: ended.duration_ms,
  };
  const at = draft.stepAt[ended.call_id];
  const block = at === undefined ? undefined : draft.blocks[at];
  if (at !== undefined && block?.kind === 'step') {
    draft.blocks[at] = { ...(block as StepBlock), ...after };
    return;
  }
  draft.stepAt[ended.call_id] = draft.blocks.length;
  const unseen = { callId: ended.call_id, tool: ended.tool, verb: ended.tool, target: '', input: null };
  push(draft, event, { kind: 'step', ...unseen, ...after });
}

function answerQuestion(draft: RunLog, { question, answer, by }: EventData['question.answered']): void {
  if (draft.openQuestion === question) draft.openQuestion = null;
  const at = draft.questionAt[question];
  const block = at === undefined ? undefined : draft.blocks[at];
  if (at !== undefined && block?.kind === 'question') draft.blocks[at] = { ...block, answer, by };
}

function spend(draft: RunLog, usage: Usage, cost: number | null): void {
  const sum = draft.usage;
  draft.usage = {
    input_tokens: sum.input_tokens + usage.input_tokens,
    output_tokens: sum.output_tokens + usage.output_tokens,
    cache_read_tokens: sum.cache_read_tokens + usage.cache_read_tokens,
    cache_write_tokens: sum.cache_write_tokens + usage.cache_write_tokens,
  };
  draft.costMicros = draft.costMicros === null || cost === null ? null : draft.costMicros + cost;
}

function addWords(draft: RunLog, kind: string, { turn, text }: { turn: number; text: string }): void {
  if (turn !== draft.turns.at(-1)?.turn || turn <= draft.answeredTurn) return;
  const live: LiveTurn = draft.live ?? { turn, text: '', thinking: '' };
  draft.live =
    kind === 'live.text' ? { ...live, text: live.text + text } : { ...live, thinking: live.thinking + text };
}
