/**
 * The tab's one WebSocket. Subscriptions outlive connections: after a break each asks again from where its
 * reader stands, and the server replays what was missed.
 */
import { create } from 'zustand';
import type { Envelope, LiveMessage } from '../log/events';

export interface Reader {
  /** The last number that the reader holds. */
  after(): number;
  event(event: Envelope): void;
  /** The stream is asked for anew: what streams at the moment will be told again from its beginning. */
  asked?(): void;
  live?(message: LiveMessage): void;
  /** The server does not know the numbers we hold. */
  restarted?(): void;
  /** The stream cannot be followed, and why. */
  refused?(code: string, detail: string): void;
}

interface ServerMessage {
  event?: Envelope;
  live?: LiveMessage;
  caught_up?: { stream: string; head: number; epoch?: string };
  error?: { stream?: string | null; code: string; detail: string };
  pong?: number;
}

export interface Connection {
  phase: 'connecting' | 'live' | 'broken';
  /** When the last message came. */
  lastAtMs: number | null;
}

/** How the connection stands, for the status line. */
export const useConnection = create<Connection>(() => ({ phase: 'connecting', lastAtMs: null }));

const PING_EVERY_MS = 15_000;
const SILENCE_MS = 40_000;
const BACKOFF_MS = [250, 500, 1_000, 2_000, 4_000, 8_000];

export class Socket {
  private wire: WebSocket | null = null;
  private readonly readers = new Map<string, Set<Reader>>();
  /** The server's epoch, as it last told it: numbers from another one mean nothing. */
  private epoch: string | null = null;
  private tries = 0;
  private heardAtMs = 0;
  private timer: ReturnType<typeof setInterval> | null = null;
  private waking: ReturnType<typeof setTimeout> | null = null;

  subscribe(stream: string, reader: Reader): () => void {
    const readers = this.readers.get(stream) ?? new Set();
    readers.add(reader);
    this.readers.set(stream, readers);
    if (this.wire?.readyState === WebSocket.OPEN) this.ask(stream);
    else this.connect();
    return () => {
      readers.delete(reader);
      if (readers.size > 0) return;
      this.readers.delete(stream);
      this.send({ unsubscribe: { stream } });
    };
  }

  /** Connects now instead of at the end of the pause. */
  hurry(): void {
    if (this.readers.size > 0) this.connect();
  }

  private connect(): void {
    if (this.wire && this.wire.readyState <= WebSocket.OPEN) return;
    if (this.waking) clearTimeout(this.waking);
    this.waking = null;
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const wire = new WebSocket(`${scheme}://${location.host}/v1/ws`);
    this.wire = wire;
    wire.onopen = () => this.opened();
    wire.onmessage = (message) => this.heard(String(message.data));
    wire.onclose = () => {
      if (this.wire === wire) this.lost();
    };
  }

  /** A connection counts once something is heard on it; until then the pauses keep growing. */
  private opened(): void {
    this.heardAtMs = Date.now();
    for (const stream of this.readers.keys()) this.ask(stream);
    this.timer ??= setInterval(() => this.beat(), PING_EVERY_MS);
  }

  private beat(): void {
    if (Date.now() - this.heardAtMs > SILENCE_MS) this.wire?.close();
    else this.send({ ping: 1 });
  }

  private lost(): void {
    this.wire = null;
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
    useConnection.setState({ phase: 'broken' });
    if (this.readers.size === 0) return;
    const pause = BACKOFF_MS[Math.min(this.tries, BACKOFF_MS.length - 1)] ?? 8_000;
    this.tries += 1;
    this.waking = setTimeout(() => this.connect(), pause * (0.75 + Math.random() / 2));
  }

  private ask(stream: string): void {
    const readers = [...(this.readers.get(stream) ?? [])];
    for (const reader of readers) reader.asked?.();
    const after = Math.min(...readers.map((reader) => reader.after()));
    this.send({ subscribe: { stream, after, ...(this.epoch === null ? {} : { epoch: this.epoch }) } });
  }

  private send(message: unknown): void {
    if (this.wire?.readyState === WebSocket.OPEN) this.wire.send(JSON.stringify(message));
  }

  private alive(): void {
    this.tries = 0;
    this.heardAtMs = Date.now();
    useConnection.setState({ phase: 'live', lastAtMs: this.heardAtMs });
  }

  private heard(text: string): void {
    this.alive();
    const message = JSON.parse(text) as ServerMessage;
    if (message.event) {
      const { event } = message;
      const stream = event.stream ?? 'org';
      for (const reader of this.readers.get(stream) ?? []) reader.event(event);
    } else if (message.live) {
      for (const reader of this.readers.get(message.live.stream) ?? []) reader.live?.(message.live);
    } else if (message.caught_up?.epoch) {
      this.epoch = message.caught_up.epoch;
    } else if (message.error?.stream) {
      this.refused(message.error.stream, message.error.code, message.error.detail);
    }
  }

  private refused(stream: string, code: string, detail: string): void {
    const restarted = code === 'epoch_changed';
    if (restarted) this.epoch = null;
    for (const reader of this.readers.get(stream) ?? []) {
      if (restarted) reader.restarted?.();
      else reader.refused?.(code, detail);
    }
  }
}

export const socket = new Socket();
