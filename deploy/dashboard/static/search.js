// A search through a period, stretch by stretch, the newest first: what is found is there at once, and it can be stopped.
import { query } from "./api.js";

// As many calls as are shown.
export const MOST = 100;

// Seconds of the first stretch; none is shorter, for what any stretch takes would be most of it.
const FIRST = 900;
// Milliseconds: after less the next stretch is four times as long, or twice; after more than SLOW half as long.
const QUICK = 300;
const FAIR = 1200;
const SLOW = 4000;

const BY = { dearest: "cost_usd", slowest: "latency_ms" };

export class Search {
  // `wanted`: the parameters of the query `calls`, with its period. `until`: where it has come to; `found`: the calls to be shown.
  constructor(wanted) {
    this.wanted = wanted;
    this.since = wanted.since;
    this.until = wanted.until;
    this.found = [];
    this.length = FIRST;
  }

  get whole() {
    return this.until <= this.since;
  }

  // The newest are found once there are enough of them; the dearest of a period only in all of it.
  get full() {
    return !BY[this.wanted.order] && this.found.length >= MOST;
  }

  // 0 to 1: how much of the period has been searched.
  get portion() {
    return (this.wanted.until - this.until) / Math.max(1, this.wanted.until - this.since);
  }

  // Search one more stretch. The next one is longer if this one took little time, and shorter if it took much.
  async further(signal) {
    const from = Math.max(this.since, this.until - this.length);
    const begun = performance.now();
    const rows = await query("calls", { ...this.wanted, since: from, until: this.until, limit: MOST }, signal);
    const took = performance.now() - begun;
    const by = BY[this.wanted.order];
    this.found.push(...rows);
    if (by) this.found.sort((one, other) => (other[by] ?? -Infinity) - (one[by] ?? -Infinity) || 0);
    this.found.length = Math.min(this.found.length, MOST);
    this.until = from;
    if (took < FAIR) this.length *= took < QUICK ? 4 : 2;
    else if (took > SLOW) this.length = Math.max(FIRST, Math.ceil(this.length / 2));
  }
}
