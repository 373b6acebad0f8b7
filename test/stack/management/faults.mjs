// Faults a test has ordered, per method and route. Each is used `times` times (0: for ever), then the next one.
//   { method, route, status | statuses, when: before|after, body, headers, latency, reset: before|after,
//     form: truncated|html|empty|wrong_type|gzip|chunked|slow|redirect|error_in_200, times, skip }
export class Faults {
  constructor() { this.rules = []; }

  clear() { this.rules = []; }

  add(rule) {
    const { statuses, ...rest } = rule;
    // a sequence is one rule per status; null lets a request pass
    const list = statuses ? statuses.map((status) => ({ ...rest, status, times: 1 })) : [rest];
    for (const one of list) this.rules.push({ times: 1, skip: 0, when: 'before', used: 0, ...one });
    return this.rules.length;
  }

  take(method, template, path) {
    for (const rule of this.rules) {
      if (rule.method && rule.method !== method) continue;
      if (rule.route && rule.route !== template && rule.route !== path) continue;
      if (rule.times !== 0 && rule.used >= rule.times) continue;
      if (rule.skip > 0) {
        rule.skip -= 1;
        return null;
      }
      rule.used += 1;
      return rule;
    }
    return null;
  }
}
