import { describe, expect, it } from 'vitest';
import { emptyLog, type RunLog } from './blocks';
import { transcriptOf, withoutEscapes } from './commands';
import { applyEvents, applyLive } from './reduce';

const call = { id: 'c1', tool: 'bash', arguments: { command: 'sh test.sh' } };

function started(): RunLog {
  const data = { turn: 1, call, label: { verb: 'Ran', target: 'sh test.sh' } };
  return applyEvents(emptyLog(), [{ stream: 'run/x', seq: 1, at_ms: 0, kind: 'tool.started', data }]).log;
}

function ended(log: RunLog, output: string, artifact: object | null = null): RunLog {
  const data = {
    call_id: 'c1',
    tool: 'bash',
    outcome: 'done',
    output,
    summary: '',
    artifact,
    duration_ms: 5,
  };
  return applyEvents(log, [{ stream: 'run/x', seq: 2, at_ms: 0, kind: 'tool.ended', data }]).log;
}

const print = (log: RunLog, text: string): RunLog =>
  applyLive(log, [{ stream: 'run/x', kind: 'live.output', data: { call_id: 'c1', text } }]);

describe('the text of a command', () => {
  it('stays the live one where that is whole, colours and all', () => {
    const log = ended(print(started(), '\x1b[32mok\x1b[0m all\n'), 'ok all\n[exit 0]');
    expect(log.commands[0]?.text).toBe('\x1b[32mok\x1b[0m all\n');
  });

  it('is the recorded one where nothing was followed live', () => {
    expect(ended(started(), 'ok all\n').commands[0]?.text).toBe('ok all\n');
  });

  it('is the recorded one where the beginning was missed', () => {
    const log = ended(print(started(), 'line 9\n'), 'line 8\nline 9\n');
    expect(log.commands[0]?.text).toBe('line 8\nline 9\n');
  });

  it('is the recorded one where the end was lost on the way', () => {
    const output = 'ok one\nok two\n[exit 1]';
    expect(ended(print(started(), 'ok one\n'), output).commands[0]?.text).toBe(output);
  });

  it('stays the live one where the recorded one was cut', () => {
    const log = ended(print(started(), 'abc\n'.repeat(400)), `${'abc\n'.repeat(900)}`, { id: 'art1' });
    expect(log.commands[0]?.text).toHaveLength(1_600);
  });

  it('takes nothing more once it has ended', () => {
    expect(print(ended(started(), 'done\n'), 'late').commands[0]?.text).toBe('done\n');
  });
});

describe('plain text', () => {
  it('has no colours, titles or overwritten lines', () => {
    const text = '\x1b]0;title\x07\x1b[1;32mok\x1b[0m\r\n10%\r100%\nend';
    expect(withoutEscapes(text)).toBe('ok\n100%\nend');
  });

  it('lists commands with what they printed', () => {
    expect(transcriptOf(ended(started(), 'ok all\n').commands)).toBe('$ sh test.sh\nok all');
  });
});
