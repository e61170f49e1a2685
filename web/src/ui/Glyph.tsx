/** Status is never colour alone: shape, word and colour, the same everywhere. */
import type { ReactNode } from 'react';
import type { RunStateName } from '../log/events';

export type Tone = 'run' | 'you' | 'ok' | 'bad' | 'sleep' | 'idle';

const TONES: Record<RunStateName, Tone> = {
  queued: 'idle',
  starting: 'run',
  running: 'run',
  waiting: 'you',
  sleeping: 'sleep',
  paused: 'sleep',
  succeeded: 'ok',
  failed: 'bad',
  budget_exceeded: 'bad',
  cancelled: 'idle',
};

const WORDS: Record<RunStateName, string> = {
  queued: 'Queued',
  starting: 'Working',
  running: 'Working',
  waiting: 'Needs you',
  sleeping: 'Sleeping',
  paused: 'Paused',
  succeeded: 'Done',
  failed: 'Failed',
  budget_exceeded: 'Failed',
  cancelled: 'Stopped',
};

export const toneOf = (state: RunStateName): Tone => TONES[state] ?? 'idle';
export const wordOf = (state: RunStateName): string => WORDS[state] ?? state;

export function Glyph({
  tone,
  stopped = false,
  size = 10,
}: {
  tone: Tone;
  stopped?: boolean;
  size?: number;
}) {
  const colour = `var(--${tone})`;
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 10 10"
      aria-hidden="true"
      className={`shrink-0 ${tone === 'run' ? 'breathe' : ''}`}
    >
      {tone === 'run' && <circle cx="5" cy="5" r="4" fill={colour} />}
      {tone === 'you' && <path d="M5 .6 9.6 9.2H.4Z" fill={colour} />}
      {tone === 'ok' && <path d="m1 5.4 2.6 2.7L9 2.2" fill="none" stroke={colour} strokeWidth="2" />}
      {tone === 'bad' && (
        <path d="m1.4 1.4 7.2 7.2m0-7.2L1.4 8.6" fill="none" stroke={colour} strokeWidth="2" />
      )}
      {tone === 'sleep' && <path d="M6.4.8a4.4 4.4 0 1 0 2.9 6A3.6 3.6 0 0 1 6.4.8Z" fill={colour} />}
      {tone === 'idle' && stopped && <rect x="1.5" y="1.5" width="7" height="7" fill={colour} />}
      {tone === 'idle' && !stopped && (
        <circle cx="5" cy="5" r="3.6" fill="none" stroke={colour} strokeWidth="1.6" />
      )}
    </svg>
  );
}

const TINTS: Record<Tone, string> = {
  run: 'bg-run-tint text-run-ink',
  you: 'bg-you-tint text-you-ink',
  ok: 'bg-ok-tint text-ok-ink',
  bad: 'bg-bad-tint text-bad-ink',
  sleep: 'bg-sleep-tint text-sleep-ink',
  idle: 'bg-idle-tint text-idle-ink',
};

export function Status({ state, children }: { state: RunStateName; children?: ReactNode }) {
  const tone = toneOf(state);
  return (
    <span
      data-state={state}
      className={`inline-flex items-center gap-1.5 rounded-sm px-1.5 h-[22px] text-xs font-[560] whitespace-nowrap ${TINTS[tone]}`}
    >
      <Glyph tone={tone} stopped={state === 'cancelled'} size={9} />
      {children ?? wordOf(state)}
    </span>
  );
}

/** The mark of a script: wherever a scripted run is shown, it says so. */
export function ScriptedLabel() {
  return (
    <span className="inline-flex items-center rounded-sm border border-dashed border-line-strong px-1.5 h-[20px] text-2xs text-ink-2 whitespace-nowrap">
      Scripted
    </span>
  );
}
