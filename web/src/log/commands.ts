/** The commands of a run as the terminal shows them: what was typed, what it printed, how it ended. */
import type { Command, RunLog } from './blocks';
import type { EventData, ToolCall } from './events';

/** Old output beyond this is dropped from the live view; the log and its artifacts keep it. */
const MAX_LIVE_CHARACTERS = 400_000;

/** Begins a command when the call is one. */
export function startCommand(draft: RunLog, call: ToolCall): void {
  const command = commandOf(call);
  if (command === null) return;
  const directory = draft.commands.findLast((entry) => entry.directory !== null)?.directory ?? null;
  draft.commands.push({ callId: call.id, directory, command, text: '', whole: true, outcome: 'running' });
}

function commandOf(call: ToolCall): string | null {
  if (call.tool !== 'bash' || typeof call.arguments !== 'object' || call.arguments === null) return null;
  const command = (call.arguments as Record<string, unknown>).command;
  return typeof command === 'string' ? command : null;
}

/** Adds what a running command printed. */
export function printLive(commands: Command[], callId: string, text: string): void {
  const at = commands.findLastIndex((entry) => entry.callId === callId);
  const entry = commands[at];
  if (entry?.outcome !== 'running') return;
  const grown = entry.text + text;
  const tooLong = grown.length > MAX_LIVE_CHARACTERS;
  commands[at] = {
    ...entry,
    text: tooLong ? grown.slice(-MAX_LIVE_CHARACTERS) : grown,
    whole: entry.whole && !tooLong,
  };
}

/** Ends a command. Where its live output was missed, the recorded output stands in for it. */
export function endCommand(draft: RunLog, ended: EventData['tool.ended']): void {
  const at = draft.commands.findLastIndex((entry) => entry.callId === ended.call_id);
  const entry = draft.commands[at];
  if (!entry) return;
  draft.commands[at] = {
    ...entry,
    text: followed(entry, ended) ? entry.text : ended.output,
    directory: entry.directory ?? ended.shell_directory ?? null,
    outcome: ended.outcome,
  };
}

/** What we say below a recorded output: `[exit 1]`, `[stopped: …]`. */
const FOOTER = /\n?\[(?:exit|stopped|the shell)[^\]]*\]\s*$/;
/** How much of the beginning has to be the same where the recorded output was cut. */
const BEGINNING = 200;

/** Whether the live output is all of it: as the recorded one without our footer, or that one was cut. */
function followed(entry: Command, ended: EventData['tool.ended']): boolean {
  const live = withoutEscapes(entry.text).trimEnd();
  if (!entry.whole || live === '') return false;
  // Nobody knows what else it printed.
  if (ended.outcome === 'interrupted') return true;
  if (ended.artifact) return ended.output.startsWith(live.slice(0, BEGINNING));
  return live === ended.output.replace(FOOTER, '').trimEnd();
}

/** All commands as plain text, for reading and copying. */
export function transcriptOf(commands: readonly Command[]): string {
  return commands
    .map((entry) => {
      const text = withoutEscapes(entry.text).trimEnd();
      return text === '' ? `$ ${entry.command}` : `$ ${entry.command}\n${text}`;
    })
    .join('\n\n');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal escape sequences are control characters
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

/** The text without colours, titles and cursor movements. */
export function withoutEscapes(text: string): string {
  return text
    .replaceAll(ESCAPES, '')
    .replaceAll(/\r\n/g, '\n')
    .replaceAll(/^.*\r(?!\n)/gm, '');
}
