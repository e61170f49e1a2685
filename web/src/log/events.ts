/** The events of a run's log, as the server's `domain::event` writes them. Unknown kinds are skipped. */
import type { Answer, Evidence, Limits } from '../api/types';

export interface Envelope {
  stream: string;
  seq: number;
  at_ms: number;
  kind: string;
  data: unknown;
}

/** What streams while something is under way; never stored, because the finished thing is an event. */
export interface LiveMessage {
  stream: string;
  kind: string;
  data: unknown;
}

export interface Reason {
  code: string;
  text: string;
  fix?: string | null;
}

export type RunStateName =
  | 'queued'
  | 'starting'
  | 'running'
  | 'waiting'
  | 'sleeping'
  | 'paused'
  | 'succeeded'
  | 'failed'
  | 'cancelled'
  | 'budget_exceeded';

export type RunState =
  | { state: 'queued' | 'starting' | 'running' }
  | { state: 'waiting'; question: string; on: QuestionKind }
  | { state: 'sleeping'; until_ms: number; reason: Reason }
  | { state: 'paused' | 'failed' | 'cancelled' | 'budget_exceeded'; reason: Reason }
  | { state: 'succeeded'; evidence: Evidence };

export type QuestionKind = 'approval' | 'decision';

export interface Question {
  id: string;
  kind: QuestionKind;
  text: string;
  detail?: string | null;
  options?: string[];
  call_id?: string | null;
}

export interface Usage {
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
}

export interface ToolCall {
  id: string;
  tool: string;
  arguments: unknown;
}

export type AssistantPart =
  | { type: 'text'; text: string }
  | { type: 'thinking'; text: string }
  | ({ type: 'tool_call' } & ToolCall);

export interface TaskLine {
  title: string;
  state: 'open' | 'active' | 'done';
}

export interface FileChange {
  path: string;
  added: number | null;
  removed: number | null;
}

export interface Artifact {
  id: string;
  sort: string;
  name: string;
  media_type: string;
  size_bytes: number;
}

export type ToolOutcome = 'done' | 'failed' | 'refused' | 'interrupted';

export interface RunSpec {
  run: string;
  number: number;
  goal: string;
  by: string;
  repository: string;
  model: string;
  scripted: boolean;
  check?: string | null;
  limits?: Limits;
}

/** The fields of each kind that this page shows. */
export interface EventData {
  'run.created': RunSpec;
  'run.state': RunState;
  'run.continued': { goal: string; by: string };
  'sandbox.ready': {
    provider: string;
    isolation: string;
    base_commit: string;
    base_branch: string;
    branch: string;
    lost_processes?: string[];
  };
  'turn.asked': { turn: number; model: string; context_tokens: number };
  'turn.answered': {
    turn: number;
    parts: AssistantPart[];
    stop: string;
    usage: Usage;
    cost: number | null;
    duration_ms: number;
  };
  'turn.failed': { turn: number; reason: Reason; retry_at_ms?: number | null };
  'tool.started': { turn: number; call: ToolCall; label: { verb: string; target: string } };
  'tool.ended': {
    call_id: string;
    tool: string;
    outcome: ToolOutcome;
    output: string;
    summary: string;
    artifact?: Artifact | null;
    duration_ms: number;
    shell_directory?: string | null;
  };
  narration: { text: string };
  'tasks.updated': { tasks: TaskLine[] };
  'question.asked': Question;
  'question.answered': { question: string; answer: Answer; by: string };
  'message.said': { text: string; by: string };
  'context.compacted': {
    summary_version: number;
    summary: string;
    message_cursor: number;
    usage: Usage;
    cost: number | null;
  };
  'files.changed': { files: FileChange[] };
  'check.ran': { command: string; exit_code: number | null; output: string; duration_ms: number };
  'delivery.made': {
    branch: string;
    commit: string;
    commits: number;
    patch: string | null;
    applied: boolean;
  };
  'artifact.kept': Artifact;
  notice: Reason;
}

export type EventKind = keyof EventData;
