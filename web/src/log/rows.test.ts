import { describe, expect, it } from 'vitest';
import { emptyLog } from './blocks';
import type { Envelope } from './events';
import demo from './fixtures/demo.json';
import { applyEvents } from './reduce';
import { columnsOf, ribbonLabel } from './ribbon';
import { rowsOf } from './rows';

const events = demo as Envelope[];
const log = applyEvents(emptyLog(), events).log;

describe('rows', () => {
  it('put steps that follow one another into one row', () => {
    const steps = rowsOf(log.blocks, null).filter((row) => row.kind === 'steps');
    expect(steps.map((row) => row.kind === 'steps' && row.steps.length)).toEqual([1, 2, 1, 1, 1]);
  });

  it('head each turn once, in order', () => {
    const turns = rowsOf(log.blocks, null).flatMap((row) => (row.turnStart === null ? [] : [row.turnStart]));
    expect(turns).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('leave the end of the run to its result card', () => {
    const last = rowsOf(log.blocks, null).at(-1);
    expect(last?.kind === 'block' && last.block.kind).toBe('delivery');
  });

  it('leave the open question to its card', () => {
    const asked = events.slice(0, events.findIndex((event) => event.kind === 'question.asked') + 1);
    const open = applyEvents(emptyLog(), asked).log;
    const questions = (id: string | null) =>
      rowsOf(open.blocks, null, id).filter((row) => row.kind === 'block' && row.block.kind === 'question');
    expect([questions(null).length, questions(open.openQuestion).length]).toEqual([1, 0]);
  });

  it('have keys of their own', () => {
    const keys = rowsOf(log.blocks, { turn: 10, text: 'and', thinking: '' }).map((row) => row.key);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('the ribbon', () => {
  it('has a column a turn, and one for waiting', () => {
    expect(columnsOf(log.turns, 'succeeded')).toHaveLength(9);
    expect(columnsOf(log.turns, 'waiting').at(-1)).toEqual({ kind: 'waiting' });
  });

  it('lets turns share columns where there are too many to tell apart', () => {
    const turn = { turn: 1, outputTokens: 5, actionMs: 5, failed: false, checkpoint: false, slept: false };
    const many = Array.from({ length: 2_500 }, (_, at) => ({ ...turn, turn: at + 1, failed: at === 1_300 }));
    const columns = columnsOf(many, 'running');
    expect(columns.length).toBeLessThanOrEqual(240);
    expect(columns.filter((column) => column.kind === 'turn' && column.failed)).toHaveLength(1);
  });

  it('grows relative to the largest turn', () => {
    const ups = columnsOf(log.turns, 'running').map((column) => (column.kind === 'turn' ? column.up : 0));
    expect(Math.max(...ups)).toBe(1);
    expect(Math.min(...ups)).toBeGreaterThan(0);
  });

  it('says in words what it shows', () => {
    expect(ribbonLabel(log)).toBe('9 turns, 1 with a failed action, 2 that changed files.');
  });
});
