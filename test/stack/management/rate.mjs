// Requests are counted per caller, project or organization, and route; each bucket has a window of its own.
const usual = [120, 60]; // requests, seconds
const stricter = {
  '/v1/projects/{ref}/analytics/endpoints/logs.all': [30, 60],
  '/v1/projects/{ref}/analytics/endpoints/usage.api-counts': [30, 60],
  '/v1/projects/{ref}/analytics/endpoints/usage.api-requests-count': [30, 60],
  '/v1/projects/{ref}/database/context': [10, 60],
  'POST /v1/projects/{ref}/custom-hostname/initialize': [10, 60],
  'POST /v1/projects/{ref}/custom-hostname/reverify': [10, 60],
  'DELETE /v1/projects/{ref}/custom-hostname': [10, 60],
  'GET /v1/projects/{ref}/vanity-subdomain': [10, 60],
  'POST /v1/projects/{ref}/database/migrations': [120, 180],
};

export class Rate {
  constructor(clock) {
    this.clock = clock;
    this.reset();
  }

  reset() {
    this.buckets = new Map();
    this.settings = { enabled: true, limit: usual[0], window: usual[1], headers: true, retry_after: true, routes: {} };
  }

  configure(change) {
    Object.assign(this.settings, change);
    if (change.clear !== undefined || change.limit !== undefined || change.routes !== undefined) this.buckets.clear();
    delete this.settings.clear;
    return this.settings;
  }

  limits(op) {
    const both = `${op.method} ${op.template}`;
    const own = this.settings.routes[both] ?? this.settings.routes[op.template];
    if (own) return [own.limit ?? this.settings.limit, own.window ?? this.settings.window];
    return stricter[both] ?? stricter[op.template] ?? [this.settings.limit, this.settings.window];
  }

  // counts one request; `passed` is false when there were too many
  take(caller, scope, op) {
    if (!this.settings.enabled) return { passed: true, headers: {}, name: null };
    const [limit, window] = this.limits(op);
    const name = `${caller} ${scope} ${op.method} ${op.template}`;
    const now = this.clock.now();
    let bucket = this.buckets.get(name);
    if (!bucket || bucket.ends <= now) {
      bucket = { used: 0, ends: now + window * 1000 };
      this.buckets.set(name, bucket);
    }
    bucket.used += 1;
    const passed = bucket.used <= limit;
    const reset = Math.max(1, Math.ceil((bucket.ends - now) / 1000));
    const headers = {};
    if (this.settings.headers) {
      headers['X-RateLimit-Limit'] = String(limit);
      headers['X-RateLimit-Remaining'] = String(Math.max(0, limit - bucket.used));
      headers['X-RateLimit-Reset'] = String(reset);
    }
    if (!passed && this.settings.retry_after) headers['Retry-After'] = String(reset);
    return { passed, headers, name };
  }
}
