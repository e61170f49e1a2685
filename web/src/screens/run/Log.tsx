/**
 * The log as rows. It sticks to the bottom unless the reader scrolled up; long logs are windowed. It is a
 * `log` that does not speak by itself: the announcer tells what matters.
 */
import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown } from 'lucide-react';
import { type ReactNode, type RefObject, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { RunLog } from '../../log/blocks';
import { type Row, rowsOf } from '../../log/rows';
import { RowView } from './blocks/RowView';
import type { Facts } from './facts';

/** From this many rows on only those near the view are in the document. */
export const WINDOW_FROM = 200;
const NEAR_BOTTOM_PX = 80;

export function Log({ log, facts, children }: { log: RunLog; facts: Facts; children?: ReactNode }) {
  const rows = useMemo(
    () => rowsOf(log.blocks, log.live, log.openQuestion),
    [log.blocks, log.live, log.openQuestion],
  );
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const { stuck, stick, leave } = useStickiness(scroller, content);
  const unread = useUnread(rows.length, stuck);
  useTurnWalk(scroller, leave);
  return (
    <div className="relative flex-1 min-h-0">
      <div
        ref={scroller}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keys
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Log"
        className="h-full overflow-y-auto"
      >
        <div ref={content} className="max-w-[700px] mx-auto px-6 max-md:px-4 py-5">
          {rows.length < WINDOW_FROM ? (
            rows.map((row) => <RowView key={row.key} row={row} />)
          ) : (
            <Windowed rows={rows} scroller={scroller} />
          )}
          {rows.length <= 1 && !facts.ended && <Waiting facts={facts} />}
          {children}
        </div>
      </div>
      {!stuck && (
        <button
          type="button"
          onClick={stick}
          className="absolute bottom-2 left-1/2 -translate-x-1/2 flex items-center gap-1.5 h-8 max-md:h-10 px-3 rounded-md bg-raised shadow-pop text-sm"
        >
          <ArrowDown size={14} aria-hidden="true" />
          {unread > 0 ? `${unread} new` : 'To the end'}
        </button>
      )}
    </div>
  );
}

function Waiting({ facts }: { facts: Facts }) {
  const text = facts.state === 'queued' ? 'Waiting for a slot.' : 'Preparing the repository and the sandbox.';
  return <p className="text-sm text-ink-3 mt-4">{text}</p>;
}

function Windowed({ rows, scroller }: { rows: Row[]; scroller: RefObject<HTMLDivElement | null> }) {
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    getItemKey: (index) => rows[index]?.key ?? index,
    estimateSize: () => 72,
    overscan: 12,
    scrollMargin: 20,
  });
  return (
    <div style={{ height: virtual.getTotalSize() }} className="relative">
      {virtual.getVirtualItems().map((item) => {
        const row = rows[item.index];
        if (!row) return null;
        return (
          <div
            key={item.key}
            ref={virtual.measureElement}
            data-index={item.index}
            className="absolute inset-x-0 top-0 flow-root"
            style={{ transform: `translateY(${item.start - 20}px)` }}
          >
            <RowView row={row} />
          </div>
        );
      })}
    </div>
  );
}

/** How long after a gesture a scroll is still the reader's own. */
const GESTURE_MS = 600;
const GESTURES = ['wheel', 'touchmove', 'keydown', 'pointerdown', 'pointermove'] as const;

/** Follows the end until the reader scrolls up; content that grows or changes its height never unsticks. */
function useStickiness(
  scroller: RefObject<HTMLDivElement | null>,
  content: RefObject<HTMLDivElement | null>,
): { stuck: boolean; stick: () => void; leave: () => void } {
  const [stuck, setStuck] = useState(true);
  const follows = useRef(true);
  useLayoutEffect(() => {
    const [box, inner] = [scroller.current, content.current];
    if (!box || !inner) return;
    let before = box.scrollTop;
    let gestureAt = 0;
    const gesture = (event: Event) => {
      if (event.type !== 'pointermove' || (event as PointerEvent).buttons > 0) gestureAt = performance.now();
    };
    const toEnd = () => {
      if (follows.current) box.scrollTop = box.scrollHeight;
      before = box.scrollTop;
    };
    const scrolled = () => {
      const distance = box.scrollHeight - box.scrollTop - box.clientHeight;
      const wentUp = box.scrollTop < before - 2 && performance.now() - gestureAt < GESTURE_MS;
      before = box.scrollTop;
      if (distance < NEAR_BOTTOM_PX && !wentUp) follows.current = true;
      else if (wentUp) follows.current = false;
      setStuck(follows.current);
    };
    const sizes = new ResizeObserver(toEnd);
    sizes.observe(inner);
    sizes.observe(box);
    for (const name of GESTURES) box.addEventListener(name, gesture, { passive: true });
    box.addEventListener('scroll', scrolled, { passive: true });
    toEnd();
    return () => {
      sizes.disconnect();
      for (const name of GESTURES) box.removeEventListener(name, gesture);
      box.removeEventListener('scroll', scrolled);
    };
  }, [scroller, content]);
  const stick = () => {
    follows.current = true;
    setStuck(true);
    const box = scroller.current;
    if (box) box.scrollTop = box.scrollHeight;
  };
  const leave = () => {
    follows.current = false;
    setStuck(false);
  };
  return { stuck, stick, leave };
}

/** How many rows came since the reader left the end. */
function useUnread(rows: number, stuck: boolean): number {
  const left = useRef(rows);
  if (stuck) left.current = rows;
  return rows - left.current;
}

/** `[` and `]` move from turn to turn among the headings that are in the document. */
function useTurnWalk(scroller: RefObject<HTMLDivElement | null>, leave: () => void): void {
  const leaving = useRef(leave);
  leaving.current = leave;
  useEffect(() => {
    const box = scroller.current;
    if (!box) return;
    const walk = (event: Event) => {
      const step = (event as CustomEvent<number>).detail;
      const top = box.getBoundingClientRect().top;
      const headings = [...box.querySelectorAll<HTMLElement>('h2[data-turn]')];
      const places = headings.map((heading) => heading.getBoundingClientRect().top - top);
      const at =
        step > 0 ? places.findIndex((place) => place > 24) : places.findLastIndex((place) => place < -4);
      const heading = headings[at];
      if (!heading) return;
      leaving.current();
      box.scrollTop += (places[at] ?? 0) - 12;
      heading.focus({ preventScroll: true });
    };
    box.addEventListener('walk-turns', walk);
    return () => box.removeEventListener('walk-turns', walk);
  }, [scroller]);
}
