/** The real program, on a data folder of its own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 10_000;

export class Journeyman {
  constructor(binary) {
    this.binary = binary;
    this.home = mkdtempSync(join(tmpdir(), 'journeyman-e2e-'));
    this.talk = '';
  }

  /** Starts it and returns what it prints: `{url, ticket_url}`. */
  async start(listen = '127.0.0.1:0') {
    const args = ['up', '--listen', listen, '--data', join(this.home, 'data'), '--json'];
    this.process = spawn(this.binary, args, {
      env: { PATH: process.env.PATH, HOME: this.home, LANG: 'C.UTF-8' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process.stderr.on('data', (data) => {
      this.talk = (this.talk + data).slice(-8_000);
    });
    const lines = createInterface({ input: this.process.stdout });
    const told = await new Promise((done, fail) => {
      const failed = (why) => fail(new Error(`${why}\n${this.talk}`));
      const timer = setTimeout(() => failed('it printed no address in time'), START_LIMIT_MS);
      lines.on('line', (line) => {
        const message = parse(line);
        if (!message?.url) return;
        clearTimeout(timer);
        done(message);
      });
      this.process.on('error', (error) => failed(error.message));
      this.process.on('exit', (code) => failed(`it ended with exit code ${code}`));
    });
    return told;
  }

  /** Stops it as Ctrl-C does. */
  async stop() {
    const { process: child } = this;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGINT');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await ended;
    clearTimeout(timer);
  }

  async remove() {
    await this.stop();
    rmSync(this.home, { recursive: true, force: true });
  }
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
