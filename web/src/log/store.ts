/**
 * One run's log, held outside React: history by pages, then the live stream, one notification a frame.
 * Duplicates are dropped by their number; a gap is filled by reading the missing page.
 */
import { asProblem, Problem, request } from '../api/client';
import { type Socket, socket } from '../api/socket';
import { emptyLog, type RunLog } from './blocks';
import type { Envelope, LiveMessage } from './events';
import { applyEvents, applyLive, forgetLive } from './reduce';

/** The most events that the server gives at once. */
const PAGE = 1_000;

export interface Snapshot {
  log: RunLog;
  phase: 'loading' | 'ready' | 'error';
  problem: Problem | null;
}

interface EventPage {
  items: Envelope[];
  head: number;
}

export class RunStore {
  private snapshot: Snapshot = { log: emptyLog(), phase: 'loading', problem: null };
  private readonly listeners = new Set<() => void>();
  private queue: Envelope[] = [];
  private live: LiveMessage[] = [];
  private scheduled = false;
  private filling = false;
  private unsubscribe: (() => void) | null = null;
  private closed = false;

  constructor(
    private readonly run: string,
    private readonly wire: Socket = socket,
  ) {}

  /** Reads the history and follows the stream; returns the way to stop. */
  open(): () => void {
    this.closed = false;
    void this.load();
    return () => {
      this.closed = true;
      this.unsubscribe?.();
      this.unsubscribe = null;
    };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly read = (): Snapshot => this.snapshot;

  /** Tries again after the history could not be read. */
  retry(): void {
    this.publish({ ...this.snapshot, phase: 'loading', problem: null });
    void this.load();
  }

  private async load(): Promise<void> {
    try {
      await this.fill();
      this.publish({ ...this.snapshot, phase: 'ready', problem: null });
      this.follow();
    } catch (error) {
      this.publish({ ...this.snapshot, phase: 'error', problem: asProblem(error) });
    }
  }

  /** Reads pages until the log is as long as the server's, and tells of them once. */
  private async fill(): Promise<void> {
    let { log } = this.snapshot;
    for (;;) {
      const after = log.lastSeq;
      const page = await request<EventPage>(
        'GET',
        `/v1/runs/${this.run}/events?after=${after}&limit=${PAGE}`,
      );
      if (this.closed) return;
      log = applyEvents(log, page.items).log;
      if (page.items.length === 0 || log.lastSeq >= page.head) break;
    }
    this.publish({ ...this.snapshot, log });
  }

  private follow(): void {
    if (this.closed || this.unsubscribe) return;
    this.unsubscribe = this.wire.subscribe(`run/${this.run}`, {
      after: () => this.snapshot.log.lastSeq,
      asked: () => {
        this.live = [];
        this.publish({ ...this.snapshot, log: forgetLive(this.snapshot.log) });
      },
      event: (event) => {
        this.queue.push(event);
        this.schedule();
      },
      live: (message) => {
        this.live.push(message);
        this.schedule();
      },
      restarted: () => void this.startOver(),
      refused: (code, detail) => {
        const problem = new Problem({ status: 0, code, detail });
        this.publish({ ...this.snapshot, phase: 'error', problem });
      },
    });
  }

  /** The stream's numbers mean something else now (a backup was restored): read all of it again. */
  private async startOver(): Promise<void> {
    this.queue = [];
    this.live = [];
    this.unsubscribe?.();
    this.unsubscribe = null;
    this.snapshot = { ...this.snapshot, log: emptyLog() };
    await this.load();
  }

  /** One commit a frame; hidden pages have no frames, but their title must keep up. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    const run = () => {
      this.scheduled = false;
      this.commit();
    };
    if (document.visibilityState === 'visible') requestAnimationFrame(run);
    else setTimeout(run, 250);
  }

  private commit(): void {
    if (this.closed || this.filling) return;
    const [events, live] = [this.queue, this.live];
    this.queue = [];
    this.live = [];
    const { log, missingAfter } = applyEvents(this.snapshot.log, events);
    this.publish({ ...this.snapshot, log: live.length > 0 ? applyLive(log, live) : log });
    if (missingAfter !== null) void this.fillGap();
  }

  private async fillGap(): Promise<void> {
    this.filling = true;
    try {
      await this.fill();
    } catch {
      // The socket reconnects and replays from where the log ends.
    } finally {
      this.filling = false;
    }
    if (this.queue.length > 0 || this.live.length > 0) this.schedule();
  }

  private publish(snapshot: Snapshot): void {
    if (this.closed) return;
    this.snapshot = snapshot;
    for (const listener of this.listeners) listener();
  }
}
