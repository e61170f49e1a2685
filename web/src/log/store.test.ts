import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Reader, Socket } from '../api/socket';
import type { Envelope } from './events';
import demo from './fixtures/demo.json';
import { RunStore } from './store';

const events = demo as Envelope[];
const run = events[0]?.stream.replace('run/', '') ?? '';

/** A server that has the first `has` events, in pages of at most `page`. */
class Server {
  asked: number[] = [];
  constructor(
    public has: number,
    private readonly page = 20,
  ) {}

  readonly fetch = async (path: string): Promise<Response> => {
    const after = Number(new URL(path, 'http://x').searchParams.get('after'));
    this.asked.push(after);
    const items = events.slice(after, Math.min(this.has, after + this.page));
    return Response.json({ items, head: this.has });
  };
}

/** The tab's socket, as far as a store needs it. */
class Wire {
  reader: Reader | null = null;
  subscribe(_stream: string, reader: Reader): () => void {
    this.reader = reader;
    reader.asked?.();
    return () => {
      this.reader = null;
    };
  }
}

let frames: (() => void)[] = [];
const frame = () => {
  const due = frames;
  frames = [];
  for (const run of due) run();
};

beforeEach(() => {
  frames = [];
  vi.stubGlobal('document', { visibilityState: 'visible' });
  vi.stubGlobal('requestAnimationFrame', (run: () => void) => frames.push(run));
});
afterEach(() => vi.unstubAllGlobals());

async function opened(server: Server): Promise<{ store: RunStore; wire: Wire; close: () => void }> {
  vi.stubGlobal('fetch', server.fetch);
  const wire = new Wire();
  const store = new RunStore(run, wire as unknown as Socket);
  const close = store.open();
  await vi.waitFor(() => expect(store.read().phase).toBe('ready'));
  return { store, wire, close };
}

describe('a run that is opened', () => {
  it('reads its history page by page and then follows from there', async () => {
    const server = new Server(45);
    const { store, wire } = await opened(server);
    expect(server.asked).toEqual([0, 20, 40]);
    expect(wire.reader?.after()).toBe(45);
    expect(store.read().log.lastSeq).toBe(45);
  });

  it('tells its readers once a frame, however much came', async () => {
    const { store, wire } = await opened(new Server(40));
    let told = 0;
    store.subscribe(() => {
      told += 1;
    });
    for (const event of events.slice(40)) wire.reader?.event(event);
    expect(told).toBe(0);
    frame();
    expect([told, store.read().log.lastSeq]).toEqual([1, events.length]);
  });

  it('fills a gap by reading what is missing', async () => {
    const server = new Server(30);
    const { store, wire } = await opened(server);
    server.has = events.length;
    wire.reader?.event(events[35] as Envelope);
    frame();
    await vi.waitFor(() => expect(store.read().log.lastSeq).toBe(events.length));
    expect(server.asked.at(2)).toBe(30);
  });

  it('drops what it was told before', async () => {
    const { store, wire } = await opened(new Server(events.length));
    const before = store.read().log.blocks;
    for (const event of events) wire.reader?.event(event);
    frame();
    expect(store.read().log.blocks).toEqual(before);
  });

  it('reads everything again when the server was restored', async () => {
    const server = new Server(events.length);
    const { store, wire } = await opened(server);
    server.has = 10;
    wire.reader?.restarted?.();
    await vi.waitFor(() => expect(store.read().log.lastSeq).toBe(10));
    expect(wire.reader?.after()).toBe(10);
  });

  it('says so when the stream is gone', async () => {
    const { store, wire } = await opened(new Server(10));
    wire.reader?.refused?.('stream_gone', 'the run was removed');
    expect(store.read().phase).toBe('error');
    expect(store.read().problem?.code).toBe('stream_gone');
  });

  it('follows nothing after it was closed', async () => {
    const { wire, close } = await opened(new Server(10));
    close();
    expect(wire.reader).toBeNull();
  });

  it('tells the problem when the history cannot be read, and reads it on a retry', async () => {
    const refuse = async () =>
      Response.json({ code: 'run_not_found', detail: 'there is no run' }, { status: 404 });
    vi.stubGlobal('fetch', refuse);
    const store = new RunStore(run, new Wire() as unknown as Socket);
    store.open();
    await vi.waitFor(() => expect(store.read().phase).toBe('error'));
    expect(store.read().problem?.code).toBe('run_not_found');
    vi.stubGlobal('fetch', new Server(5).fetch);
    store.retry();
    await vi.waitFor(() => expect(store.read().phase).toBe('ready'));
  });
});
