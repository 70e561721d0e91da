// CPU as a share of one core, from the counters of two reports.

const SHORTEST = 0.9; // seconds; over less than that one scheduler tick is a large share

export class Rates {
  #before = null;
  #rates = new Map();

  // Counters is a Map from any key to seconds or null. A counter that fell belongs to another life.
  take(timestamp, counters) {
    if (this.#before !== null) {
      const seconds = timestamp - this.#before.timestamp;
      if (seconds >= 0 && seconds < SHORTEST) return;
      this.#rates = new Map();
      for (const [key, value] of counters) {
        const earlier = this.#before.counters.get(key);
        if (value === null || earlier === undefined || earlier === null) continue;
        if (value >= earlier && seconds > 0) this.#rates.set(key, (value - earlier) / seconds);
      }
    }
    this.#before = { timestamp, counters };
  }

  of(key) {
    return this.#rates.get(key) ?? null;
  }

  sum(keys) {
    const known = keys.map((key) => this.of(key)).filter((rate) => rate !== null);
    return known.length ? known.reduce((total, rate) => total + rate, 0) : null;
  }
}

// By what the rate of each is kept.
export const serverKey = (each) => `server\n${each.server}`;
export const sessionKey = (each) => `session\n${each.server}\n${each.session}`;
export const leakKey = (each) => `leak\n${each.pid}\n${each.start_ticks}`;
export const agentKey = (each) => `agent\n${each.server}\n${each.session}\n${each.agent}`;
