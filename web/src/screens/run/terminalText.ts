/** What a terminal has to write so that it shows the commands, given what it has written. Pure. */
import type { Command } from '../../log/blocks';

export interface Written {
  /** The commands as they were drawn. */
  commands: readonly Command[];
  characters: number;
}

export interface Chunk {
  text: string;
  /** What was drawn is no longer true: clear first. */
  redraw: boolean;
  written: Written;
}

/** The text that brings a terminal from `before` to `commands`. */
export function chunkAfter(before: Written, commands: readonly Command[]): Chunk {
  const grown = continues(before.commands, commands);
  const from = grown ? before.commands.length : 0;
  let text = '';
  if (grown && from > 0) text += grownTail(before.commands[from - 1], commands[from - 1]);
  for (const command of commands.slice(from)) text += drawn(command, text !== '' || from > 0);
  const characters = (grown ? before.characters : 0) + text.length;
  return { text, redraw: !grown && before.characters > 0, written: { commands, characters } };
}

/** Whether only the last drawn command changed, and only by growing. */
function continues(before: readonly Command[], after: readonly Command[]): boolean {
  if (after.length < before.length) return false;
  return before.every((old, index) => {
    const now = after[index];
    if (now === old) return true;
    if (!now || now.callId !== old.callId || old.outcome !== 'running') return false;
    return index === before.length - 1 ? now.text.startsWith(old.text) : now.text === old.text;
  });
}

function grownTail(old: Command | undefined, now: Command | undefined): string {
  if (!old || !now || old === now) return '';
  return now.text.slice(old.text.length) + (old.outcome === 'running' ? ending(now) : '');
}

function drawn(command: Command, gap: boolean): string {
  const directory = command.directory ? `\x1b[2m${shortDirectory(command.directory)}\x1b[0m ` : '';
  const typed = command.command.replaceAll('\n', '\n  ');
  return `${gap ? '\n' : ''}${directory}$ \x1b[1m${typed}\x1b[0m\n${command.text}${ending(command)}`;
}

const ENDINGS = {
  running: '',
  done: '',
  failed: '\x1b[31m(failed)\x1b[0m\n',
  refused: '\x1b[33m(refused)\x1b[0m\n',
  interrupted: '\x1b[31m(interrupted, outcome unknown)\x1b[0m\n',
};

function ending(command: Command): string {
  const newline =
    command.text === '' || command.text.endsWith('\n') || command.outcome === 'running' ? '' : '\n';
  const told = /\[exit [^\]]*\]\s*$|^interrupted: /.test(command.text);
  return told ? newline : newline + ENDINGS[command.outcome];
}

const shortDirectory = (directory: string): string => directory.replace(/^\/workspace(?=\/|$)/, '~');
