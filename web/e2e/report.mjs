/** Named checks, one after another; what fails is told, and the rest goes on where it can. */

export class Report {
  passed = 0;
  failed = 0;

  /** Runs one check; returns whether it passed. */
  async check(name, body) {
    const started = Date.now();
    try {
      await body();
      this.passed += 1;
      console.log(`ok    ${name} (${Date.now() - started} ms)`);
      return true;
    } catch (error) {
      this.failed += 1;
      console.log(
        `FAIL  ${name}\n      ${String(error?.message ?? error)
          .split('\n')
          .join('\n      ')}`,
      );
      return false;
    }
  }

  close() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    return this.failed === 0 ? 0 : 1;
  }
}

/** Fails with both sides where they differ. */
export function equal(actual, wanted, what) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: wanted ${b}, got ${a}`);
}

export function holds(condition, what) {
  if (!condition) throw new Error(what);
}
