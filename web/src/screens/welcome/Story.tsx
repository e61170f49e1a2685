/** What the demo shows, so that nobody has to guess. */
import type { Column } from '../../log/ribbon';
import { Ribbon } from '../../ui/Ribbon';

const STEPS = [
  'A run starts on a small shop that is written in shell',
  'It reads the code and runs the test that fails',
  'It asks before it goes on. You decide',
  'It mends the shop, and we run the check ourselves',
  'The result waits on a branch. You read it and apply it',
];

/** The shape of a short run: heights only, not a run that took place. */
const SHAPE: Column[] = [
  ...[0.35, 0.5, 0.3, 0.8, 0.45].map((up, index) => turn(up, 0.3 + 0.1 * index)),
  { ...turn(0.6, 1), failed: true },
  ...[0.9, 0.7, 0.5].map((up) => turn(up, 0.4)),
  { ...turn(1, 0.55), checkpoint: true },
  ...[0.6, 0.4, 0.75].map((up) => turn(up, 0.65)),
  { ...turn(0.5, 0.8), checkpoint: true },
  turn(0.3, 0.9),
  { kind: 'waiting' },
];

function turn(up: number, down: number): Column & { kind: 'turn' } {
  return { kind: 'turn', up, down, failed: false, checkpoint: false };
}

export function Story() {
  return (
    <aside className="lg:pt-[86px] max-lg:hidden" aria-label="What the demo shows">
      <div className="panel overflow-hidden">
        <div className="p-5 pb-4">
          <p className="text-xs text-ink-3">The demo, step by step</p>
          <p className="font-serif text-lg mt-1 tracking-[-.01em]">A shop with a failing test</p>
          <div className="mt-4">
            <Ribbon
              columns={SHAPE}
              height={38}
              stretch
              label="How a run is drawn: one column a turn, red where an action failed, green where files changed, amber where it waits for you."
            />
          </div>
        </div>
        <ol className="border-t border-line text-sm">
          {STEPS.map((step, index) => (
            <li key={step} className="flex gap-4 px-5 py-2.5 border-b border-line last:border-0">
              <span className="num text-ink-3 text-xs leading-5 w-3">{index + 1}</span>
              <span>{step}</span>
            </li>
          ))}
        </ol>
      </div>
    </aside>
  );
}
