/** Blocks as rows of the log: steps that follow one another share a row, and a turn's first row heads it. */
import type { Block, LiveTurn, StepBlock } from './blocks';
import { isTerminal } from './reduce';

export type Row = { key: string; turnStart: number | null } & (
  | { kind: 'steps'; steps: StepBlock[] }
  | { kind: 'block'; block: Exclude<Block, StepBlock> }
  | { kind: 'live'; live: LiveTurn }
);

/** Rows for the whole log. The open question and the end of an ended run have cards of their own. */
export function rowsOf(blocks: readonly Block[], live: LiveTurn | null, open: string | null = null): Row[] {
  const rows: Row[] = [];
  let turn = 0;
  const end = endOf(blocks);
  for (const [index, block] of blocks.entries()) {
    if (block.kind === 'question' && block.question.id === open) continue;
    if (index === end || (end >= 0 && toldByEnd(block, blocks[end]))) continue;
    const turnStart = block.turn !== turn && block.turn > 0 ? block.turn : null;
    turn = block.turn;
    const last = rows.at(-1);
    if (block.kind === 'step') {
      if (last?.kind === 'steps') last.steps.push(block);
      else rows.push({ key: block.id, turnStart, kind: 'steps', steps: [block] });
    } else {
      rows.push({ key: block.id, turnStart, kind: 'block', block });
    }
  }
  if (live && (live.text !== '' || live.thinking !== '')) {
    rows.push({
      key: `live${live.turn}`,
      turnStart: live.turn === turn ? null : live.turn,
      kind: 'live',
      live,
    });
  }
  return rows;
}

/** Whether the end says the same again: a call that failed for good. */
function toldByEnd(block: Block, end: Block | undefined): boolean {
  if (block.kind !== 'trouble' || end?.kind !== 'state' || !('reason' in end.state)) return false;
  return block.turn === end.turn && block.retryAtMs === null && block.reason.text === end.state.reason.text;
}

/** Where the run ended, unless it was asked for more since. */
function endOf(blocks: readonly Block[]): number {
  const end = blocks.findLastIndex((block) => block.kind === 'state' && isTerminal(block.state.state));
  const continued = blocks.findLastIndex((block) => block.kind === 'goal');
  return end > continued ? end : -1;
}
