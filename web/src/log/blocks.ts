/** What a person reads in a run's log, and the rest of what the Run page shows. Plain data. */
import type { Answer } from '../api/types';
import type {
  Artifact,
  EventData,
  FileChange,
  Question,
  Reason,
  RunSpec,
  RunState,
  TaskLine,
  ToolOutcome,
  Usage,
} from './events';

interface BlockBase {
  /** Stable: made of the event that began the block. */
  id: string;
  atMs: number;
  turn: number;
}

export interface StepBlock extends BlockBase {
  kind: 'step';
  callId: string;
  tool: string;
  verb: string;
  target: string;
  input: unknown;
  outcome: ToolOutcome | 'running';
  summary: string;
  output: string;
  artifact: Artifact | null;
  durationMs: number | null;
}

export interface QuestionBlock extends BlockBase {
  kind: 'question';
  question: Question;
  answer: Answer | null;
  by: string | null;
}

export type Block =
  | (BlockBase & { kind: 'goal'; text: string; by: string; followUp: boolean })
  | (BlockBase & { kind: 'prose'; text: string })
  | (BlockBase & { kind: 'thinking'; text: string })
  | (BlockBase & { kind: 'message'; text: string; by: string })
  | (BlockBase & { kind: 'tasks'; tasks: TaskLine[]; first: boolean })
  | (BlockBase & { kind: 'checkpoint'; files: FileChange[] })
  | (BlockBase & {
      kind: 'check';
      command: string;
      exitCode: number | null;
      output: string;
      durationMs: number;
    })
  | (BlockBase & { kind: 'notice'; reason: Reason })
  | (BlockBase & { kind: 'trouble'; reason: Reason; retryAtMs: number | null })
  | (BlockBase & { kind: 'compacted'; summary: string })
  | (BlockBase & { kind: 'sandbox'; text: string; again: boolean; lost: string[] })
  | (BlockBase & { kind: 'delivery'; delivery: EventData['delivery.made']; again: boolean })
  | (BlockBase & { kind: 'state'; state: RunState })
  | StepBlock
  | QuestionBlock;

/** One column of the ribbon. */
export interface Turn {
  turn: number;
  outputTokens: number;
  actionMs: number;
  failed: boolean;
  checkpoint: boolean;
  /** The run slept or was paused before this turn. */
  slept: boolean;
}

/** A command as the terminal shows it. */
export interface Command {
  callId: string;
  directory: string | null;
  command: string;
  text: string;
  /** Whether `text` holds everything printed since the command began. */
  whole: boolean;
  outcome: ToolOutcome | 'running';
}

export interface LiveTurn {
  turn: number;
  text: string;
  thinking: string;
}

export interface RunLog {
  lastSeq: number;
  lastAtMs: number;
  spec: RunSpec | null;
  state: RunState | null;
  sandbox: EventData['sandbox.ready'] | null;
  blocks: Block[];
  /** Where each tool call's block stands. */
  stepAt: Record<string, number>;
  /** Where each question's block stands. */
  questionAt: Record<string, number>;
  openQuestion: string | null;
  turns: Turn[];
  commands: Command[];
  tasks: TaskLine[];
  files: FileChange[];
  artifacts: Artifact[];
  delivery: EventData['delivery.made'] | null;
  live: LiveTurn | null;
  /** The last turn whose whole answer is known. */
  answeredTurn: number;
  usage: Usage;
  /** Microdollars so far; null once a price was not known. */
  costMicros: number | null;
  contextTokens: number;
  toolCalls: number;
}

export function emptyLog(): RunLog {
  return {
    lastSeq: 0,
    lastAtMs: 0,
    spec: null,
    state: null,
    sandbox: null,
    blocks: [],
    stepAt: {},
    questionAt: {},
    openQuestion: null,
    turns: [],
    commands: [],
    tasks: [],
    files: [],
    artifacts: [],
    delivery: null,
    live: null,
    answeredTurn: 0,
    usage: { input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0 },
    costMicros: 0,
    contextTokens: 0,
    toolCalls: 0,
  };
}
