/** What the API sends and takes. The nouns are those of the server's `domain` crate. */
import type { Artifact, FileChange, QuestionKind, Reason, RunStateName, Usage } from '../log/events';

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface Me {
  user: { id: string; name: string };
  org: { id: string; name: string };
  scopes: string[];
  via: 'cookie' | 'token' | 'socket';
}

export interface Status {
  version: string;
  data_dir: string;
  database: string;
  sandbox: { provider: string; isolation: string } | null;
  runs: { queued: number; working: number; needs_you: number; sleeping: number };
  capacity: number | Record<string, unknown> | null;
}

export interface Probe {
  name: string;
  ok: boolean;
  detail: string;
  fix: string | null;
}

export interface Project {
  id: string;
  slug: string;
  name: string;
  path: string;
  check: string | null;
  default_model: string | null;
  created_at_ms: number;
  runs: { total: number; needs_you: number; working: number };
}

export interface Price {
  input: number;
  output: number;
  cache_read: number;
  cache_write: number;
}

export interface Model {
  name: string;
  scripted: boolean;
  available: boolean;
  context_tokens: number | null;
  price: Price | null;
  why_not: string | null;
}

export interface LocalServer {
  server: string;
  url: string;
  models: string[];
}

export interface ProviderKey {
  provider: string;
  source: 'environment' | 'stored' | 'none';
  base_url: string | null;
}

export interface Models {
  default: string | null;
  items: Model[];
  local: LocalServer[];
  keys: ProviderKey[];
}

export interface ModelTest {
  ok: boolean;
  latency_ms: number;
  tools: boolean;
  error: string | null;
}

export interface Token {
  id: string;
  name: string;
  kind?: string;
  scopes: string[];
  created_at_ms?: number;
  expires_at_ms?: number | null;
  last_used_at_ms?: number | null;
}

export interface NewToken extends Token {
  token: string;
}

export interface QuestionView {
  id: string;
  run: string;
  kind: QuestionKind;
  text: string;
  detail?: string | null;
  options: string[];
  call_id?: string | null;
  state: 'open' | 'answered' | 'void';
  answer: Answer | null;
  by: string | null;
  asked_at_ms: number;
}

export type Answer =
  | { answer: 'allow'; scope: 'once' | 'run' | 'project' }
  | { answer: 'refuse'; reason: string }
  | { answer: 'text'; text: string };

export interface Limits {
  max_turns: number;
  max_tool_calls: number;
  max_cost: number | null;
  max_tokens: number | null;
  max_seconds: number;
}

export type Evidence =
  | { evidence: 'check_passed'; command: string }
  | { evidence: 'no_check' }
  | { evidence: 'nothing_to_change'; explanation: string };

export interface Run {
  id: string;
  number: number;
  project: { id: string; slug: string; name: string };
  goal: string;
  by: string;
  repository: string;
  model: string;
  scripted: boolean;
  attended: 'yes' | 'no';
  check: string | null;
  dirty: boolean;
  apply: boolean;
  state: RunStateName;
  word: string;
  reason: Reason | null;
  evidence: Evidence | null;
  until_ms: number | null;
  question: QuestionView | null;
  turns: number;
  tool_calls: number;
  usage: Usage;
  cost_micros: number | null;
  context_tokens: number;
  context_window: number;
  limits: Limits;
  branch: string | null;
  base_commit: string | null;
  commit: string | null;
  /** Whether the result was written to the working tree. */
  applied: boolean;
  files: FileChange[];
  sandbox: { provider: string; isolation: string } | null;
  /** How many runs are ahead of it, while it is queued. */
  queue_position: number | null;
  created_at_ms: number;
  started_at_ms: number | null;
  ended_at_ms: number | null;
  changed_at_ms: number;
  last_seq: number;
}

export interface NewRun {
  goal: string;
  repository?: string;
  project?: string;
  model?: string;
  check?: string;
  dirty?: boolean;
  apply?: boolean;
  limits?: Partial<Limits>;
}

export type DiffLineKind = ' ' | '+' | '-';

export interface DiffHunk {
  header: string;
  old_start: number;
  new_start: number;
  lines: { kind: DiffLineKind; text: string }[];
}

export interface DiffFile {
  path: string;
  old_path: string | null;
  status: 'added' | 'modified' | 'deleted' | 'renamed';
  added: number | null;
  removed: number | null;
  binary: boolean;
  too_large: boolean;
  hunks: DiffHunk[];
}

export interface Diff {
  base: string;
  tip: string | null;
  files: DiffFile[];
}

export interface Applied {
  applied: { path: string; status: string }[];
}

export interface Artifacts {
  items: Artifact[];
}
