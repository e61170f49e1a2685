import { describe, expect, it } from 'vitest';
import type { Command } from '../../log/blocks';
import { chunkAfter, type Written } from './terminalText';

const nothing: Written = { commands: [], characters: 0 };
const command = (text: string, outcome: Command['outcome'] = 'running', callId = 'c1'): Command => ({
  callId,
  directory: null,
  command: 'ls',
  text,
  whole: true,
  outcome,
});

describe('what a terminal writes', () => {
  it('adds only what was printed since', () => {
    const first = chunkAfter(nothing, [command('a\n')]);
    expect(first.text).toContain('a\n');
    const second = chunkAfter(first.written, [command('a\nb\n')]);
    expect([second.text, second.redraw]).toEqual(['b\n', false]);
  });

  it('adds the next command after the one before', () => {
    const first = chunkAfter(nothing, [command('a\n', 'done')]);
    const kept = first.written.commands[0] as Command;
    const second = chunkAfter(first.written, [kept, command('', 'running', 'c2')]);
    expect(second.redraw).toBe(false);
    expect(second.text.startsWith('\n')).toBe(true);
  });

  it('draws anew when what it wrote is no longer true', () => {
    const first = chunkAfter(nothing, [command('half')]);
    const second = chunkAfter(first.written, [command('the whole\n', 'done')]);
    expect(second.redraw).toBe(true);
    expect(second.text).toContain('the whole\n');
  });

  it('says that a command failed, unless its output says so', () => {
    expect(chunkAfter(nothing, [command('no\n', 'failed')]).text).toContain('(failed)');
    expect(chunkAfter(nothing, [command('no\n[exit 1]', 'failed')]).text).not.toContain('(failed)');
  });
});
