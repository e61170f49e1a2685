import { describe, expect, it } from 'vitest';
import { emptyLog, type RunLog } from './blocks';
import type { Envelope } from './events';
import demo from './fixtures/demo.json';
import { applyEvents, applyLive, forgetLive } from './reduce';

const events = demo as Envelope[];
const whole = (): RunLog => applyEvents(emptyLog(), events).log;
const kinds = (log: RunLog) => log.blocks.map((block) => block.kind);

/** The demo up to and with the first event of a kind. */
function until(kind: string): Envelope[] {
  return events.slice(0, events.findIndex((event) => event.kind === kind) + 1);
}

/** The demo's first command. */
const COMMAND = 'scripted-0-2';

/** The demo up to the start of its first command. */
function untilCommand(): Envelope[] {
  const isStart = (event: Envelope) =>
    event.kind === 'tool.started' && (event.data as { call: { id: string } }).call.id === COMMAND;
  return events.slice(0, events.findIndex(isStart) + 1);
}

function followed(log: RunLog, ...more: { kind: string; data: unknown }[]): RunLog {
  const next = more.map((event, index) => ({
    stream: 'run/x',
    at_ms: 0,
    seq: log.lastSeq + 1 + index,
    ...event,
  }));
  return applyEvents(log, next).log;
}

describe('the log of the demo', () => {
  it('reads as goal, sandbox, steps, question, check, delivery and end', () => {
    const log = whole();
    expect(kinds(log).slice(0, 3)).toEqual(['goal', 'sandbox', 'thinking']);
    expect(kinds(log).slice(-4)).toEqual(['prose', 'check', 'delivery', 'state']);
    expect(kinds(log)).toContain('question');
    expect(log.state).toEqual({
      state: 'succeeded',
      evidence: { evidence: 'check_passed', command: 'sh test.sh' },
    });
  });

  it('is the same whether events come at once or one by one', () => {
    const oneByOne = events.reduce((log, event) => applyEvents(log, [event]).log, emptyLog());
    expect(oneByOne).toEqual(whole());
  });

  it('leaves the log that goes in as it was', () => {
    const before = applyEvents(emptyLog(), untilCommand()).log;
    const copy = structuredClone(before);
    applyEvents(before, events);
    applyLive(before, [{ stream: 'run/x', kind: 'live.output', data: { call_id: COMMAND, text: 'x' } }]);
    expect(before).toEqual(copy);
  });

  it('counts turns, failures, changed files and tokens', () => {
    const log = whole();
    expect(log.turns).toHaveLength(9);
    expect(log.turns.filter((turn) => turn.failed).map((turn) => turn.turn)).toEqual([1]);
    expect(log.turns.filter((turn) => turn.checkpoint).map((turn) => turn.turn)).toEqual([5, 6]);
    const answered = events.filter((event) => event.kind === 'turn.answered');
    const output = answered.reduce(
      (sum, event) => sum + (event.data as { usage: { output_tokens: number } }).usage.output_tokens,
      0,
    );
    expect(log.usage.output_tokens).toBe(output);
    expect(log.costMicros).toBe(0);
  });

  it('keeps what the server says of the result', () => {
    const log = whole();
    expect(log.delivery?.branch).toBe('journeyman/1-one-test-of-the-shop-fails-a-customer');
    expect(log.files.map((file) => file.path)).toEqual(['lib/checkout.sh', 'test.sh']);
    expect(log.artifacts.map((artifact) => artifact.sort)).toEqual(['patch']);
  });

  it('tells a tool that other events tell about only once', () => {
    const steps = whole().blocks.filter((block) => block.kind === 'step');
    expect(steps.map((step) => step.verb)).toEqual(['Ran', 'Read', 'Searched', 'Edited', 'Edited', 'Ran']);
  });
});

describe('order', () => {
  it('skips what it already holds', () => {
    const log = whole();
    expect(applyEvents(log, events.slice(3, 9)).log).toEqual(log);
  });

  it('stops before a gap and says where it begins', () => {
    const { log, missingAfter } = applyEvents(emptyLog(), [...events.slice(0, 5), ...events.slice(7)]);
    expect(missingAfter).toBe(5);
    expect(log.lastSeq).toBe(5);
    expect(applyEvents(log, events).log).toEqual(whole());
  });

  it('ignores kinds that it does not know, but counts them', () => {
    const log = followed(whole(), { kind: 'narration.v9', data: {} }, { kind: 'constructor', data: {} });
    expect(log.blocks).toEqual(whole().blocks);
    expect(log.lastSeq).toBe(events.length + 2);
  });
});

describe('questions', () => {
  it('are open until they are answered', () => {
    const asked = applyEvents(emptyLog(), until('question.asked')).log;
    expect(asked.openQuestion).toMatch(/^qst/);
    const answered = applyEvents(asked, until('question.answered')).log;
    expect(answered.openQuestion).toBeNull();
    const block = answered.blocks.find((entry) => entry.kind === 'question');
    expect(block).toMatchObject({
      by: 'owner',
      answer: { answer: 'text', text: 'No, only keep the coupon' },
    });
  });

  it('close when the run ends without an answer', () => {
    const asked = applyEvents(emptyLog(), until('question.asked')).log;
    const reason = { code: 'cancelled', text: 'mara stopped it' };
    const stopped = followed(asked, { kind: 'run.state', data: { state: 'cancelled', reason } });
    expect(stopped.openQuestion).toBeNull();
  });
});

describe('a price that is not known', () => {
  it('makes the sum not known, never nothing', () => {
    const usage = { input_tokens: 1, output_tokens: 1, cache_read_tokens: 0, cache_write_tokens: 0 };
    const answer = (turn: number, cost: number | null) => ({
      kind: 'turn.answered',
      data: { turn, parts: [], stop: 'end_turn', usage, cost, duration_ms: 1 },
    });
    expect(followed(emptyLog(), answer(1, 700)).costMicros).toBe(700);
    expect(followed(emptyLog(), answer(1, 700), answer(2, null), answer(3, 5)).costMicros).toBeNull();
  });
});

describe('what streams', () => {
  const live = (kind: string, data: unknown) => ({ stream: 'run/x', kind: `live.${kind}`, data });
  const asked = () => applyEvents(emptyLog(), until('turn.asked')).log;

  it('shows words while they come, and the whole answer in their place', () => {
    const words = [live('text', { turn: 1, text: 'I will ' }), live('text', { turn: 1, text: 'see' })];
    const streaming = applyLive(asked(), words);
    expect(streaming.live).toEqual({ turn: 1, text: 'I will see', thinking: '' });
    expect(applyEvents(streaming, until('turn.answered')).log.live).toBeNull();
  });

  it('drops words that come after their answer', () => {
    const answered = applyEvents(emptyLog(), until('turn.answered')).log;
    expect(applyLive(answered, [live('text', { turn: 1, text: 'late' })]).live).toBeNull();
  });

  it('begins anew when the stream is asked for again', () => {
    const started = applyEvents(emptyLog(), untilCommand()).log;
    const printed = applyLive(started, [live('output', { call_id: COMMAND, text: 'ok   a cart' })]);
    expect(printed.commands[0]?.text).toBe('ok   a cart');
    const again = applyLive(forgetLive(printed), [live('output', { call_id: COMMAND, text: 'ok   a cart' })]);
    expect(again.commands[0]?.text).toBe('ok   a cart');
  });
});

describe('a run that goes on', () => {
  it('marks where it slept and where it was asked for more', () => {
    const reason = { code: 'paused', text: 'mara paused it' };
    const log = followed(
      applyEvents(emptyLog(), until('turn.answered')).log,
      { kind: 'run.state', data: { state: 'paused', reason } },
      { kind: 'run.state', data: { state: 'queued' } },
      { kind: 'turn.asked', data: { turn: 2, model: 'm', context_tokens: 9 } },
      { kind: 'run.continued', data: { goal: 'and now the receipt', by: 'mara' } },
    );
    expect(log.turns.at(-1)).toMatchObject({ turn: 2, slept: true });
    expect(log.blocks.at(-1)).toMatchObject({ kind: 'goal', followUp: true });
  });
});
