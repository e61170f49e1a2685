/** Numbers and times as people read them. */

/** `$1.84`, `$0.0007`; a price that is not known is never shown as nothing. */
export function money(micros: number | null): string {
  if (micros === null) return 'price not known';
  const dollars = micros / 1_000_000;
  return micros === 0 || Math.abs(micros) >= 10_000 ? `$${dollars.toFixed(2)}` : `$${dollars.toFixed(4)}`;
}

/** `850`, `61k`, `1.2M`. */
export function tokens(count: number): string {
  if (count < 1_000) return String(count);
  if (count < 1_000_000) return `${Math.round(count / 1_000)}k`;
  return `${(count / 1_000_000).toFixed(1)}M`;
}

/** `40 ms`, `6.4 s`, `18 min`, `2 h 5 min`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 60_000) return `${Math.round(ms / 1_000)} s`;
  const minutes = Math.round(ms / 60_000);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `850 B`, `12 kB`, `3.4 MB`. */
export function bytes(count: number): string {
  if (count < 1_000) return `${count} B`;
  if (count < 1_000_000) return `${Math.round(count / 1_000)} kB`;
  return `${(count / 1_000_000).toFixed(1)} MB`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false });
const CLOCK_SECONDS = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
});
const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

export const clock = (ms: number): string => CLOCK.format(ms);
export const clockSeconds = (ms: number): string => CLOCK_SECONDS.format(ms);

/** `09:14` today, `3 Nov` before. */
export function when(ms: number, nowMs = Date.now()): string {
  return new Date(ms).toDateString() === new Date(nowMs).toDateString() ? clock(ms) : DAY.format(ms);
}

/** `1 turn`, `7 turns`. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** `+9 −2`; a binary file has neither. */
export function lineChange(added: number | null, removed: number | null): string {
  if (added === null || removed === null) return 'binary';
  return [added > 0 ? `+${added}` : '', removed > 0 ? `−${removed}` : ''].filter(Boolean).join(' ') || '±0';
}
