// The authorization server: apps, codes, grants, refresh tokens.
import crypto from 'node:crypto';
import { hex } from './identity.mjs';
import { Refusal, refuse } from './errors.mjs';

const same = (a, b) => a !== undefined && b !== undefined && a.length === b.length
  && crypto.timingSafeEqual(Buffer.from(a), Buffer.from(b));

export class OAuth {
  constructor(clock, identity) {
    this.clock = clock;
    this.identity = identity;
    this.apps = new Map();
    this.codes = new Map();
    this.grants = [];
    this.refresh = new Map(); // refresh token -> { grant, state: current|previous|dead, until }
    this.settings = {
      expires_in: 86400, code_ttl: 60, rotation: 'rotate', grace: 10, omit_refresh_token: false, error_form: 'message',
    };
  }

  addApp({ name, redirect_uris, scopes, client_id = crypto.randomUUID(), client_secret = `sba_${hex(20)}` }) {
    const app = { name, redirect_uris, scopes: new Set(scopes), client_id, client_secret };
    this.apps.set(client_id, app);
    return app;
  }

  fail(status, error, description) {
    throw this.settings.error_form === 'rfc6749'
      ? Object.assign(new Refusal(status, description), { body: { error, error_description: description } })
      : new Refusal(status, description);
  }

  // ---- authorization -------------------------------------------------------------

  // what a browser comes with; refuses what may not be answered by a redirect
  request(query) {
    const app = this.apps.get(query.get('client_id')) ?? refuse(400, 'Unrecognized client_id');
    const redirect_uri = query.get('redirect_uri');
    if (!app.redirect_uris.includes(redirect_uri)) refuse(400, 'Invalid redirect_uri');
    if (redirect_uri.length + (query.get('state') ?? '').length > 4096) refuse(400, 'redirect_uri and state are too long');
    if (query.get('response_type') !== 'code') refuse(400, 'Unsupported response_type');
    const method = query.get('code_challenge_method') ?? 'plain';
    if (query.has('code_challenge') && method === 'S256' && !/^[\w-]{43}$/.test(query.get('code_challenge'))) {
      refuse(400, 'Invalid code_challenge');
    }
    return {
      app, redirect_uri, state: query.get('state'), challenge: query.get('code_challenge'), method,
      organization_slug: query.get('organization_slug'), project_ref: query.get('project_ref'),
    };
  }

  // after consent; gives the address the browser goes to
  authorize(request, user, organization) {
    const code = crypto.randomUUID();
    this.codes.set(code, { ...request, user, organization, ends: this.clock.now() + this.settings.code_ttl * 1000 });
    return this.back(request, { code });
  }

  deny(request) { return this.back(request, { error: 'access_denied', error_description: 'The user denied the request' }); }

  back(request, fields) {
    const url = new URL(request.redirect_uri);
    for (const [name, value] of Object.entries(fields)) url.searchParams.set(name, value);
    if (request.state !== null) url.searchParams.set('state', request.state);
    return url.href;
  }

  // ---- tokens --------------------------------------------------------------------

  client(form, authorization) {
    let { client_id: id, client_secret: secret } = form;
    const basic = /^Basic +(\S+)$/i.exec(authorization ?? '');
    if (basic) {
      const text = Buffer.from(basic[1], 'base64').toString();
      const colon = text.indexOf(':');
      id = text.slice(0, colon);
      secret = text.slice(colon + 1);
    }
    const app = this.apps.get(id);
    if (!app || !same(secret, app.client_secret)) this.fail(401, 'invalid_client', 'Invalid client credentials');
    return app;
  }

  token(form, authorization) {
    const app = this.client(form, authorization);
    if (form.grant_type === 'authorization_code') return this.exchange(app, form);
    if (form.grant_type === 'refresh_token') return this.renew(app, form);
    return this.fail(400, 'unsupported_grant_type', 'grant_type: Invalid option');
  }

  exchange(app, form) {
    const pending = this.codes.get(form.code);
    const bad = (text) => this.fail(400, 'invalid_grant', text);
    if (!pending || pending.app !== app) bad('Invalid authorization code');
    if (pending.used) {
      // a code used twice is a stolen code
      if (pending.grant) this.revoke(pending.grant);
      bad('Authorization code has already been used');
    }
    pending.used = true;
    if (pending.ends <= this.clock.now()) bad('Authorization code has expired');
    if (form.redirect_uri !== pending.redirect_uri) bad('redirect_uri does not match');
    if (pending.challenge !== null) {
      if (form.code_verifier === undefined) bad('code_verifier is required');
      const made = pending.method === 'plain' ? form.code_verifier
        : crypto.createHash('sha256').update(form.code_verifier).digest('base64url');
      if (!same(made, pending.challenge)) bad('code_verifier does not match');
    }
    const grant = {
      id: crypto.randomUUID(), app, user: pending.user, organization: pending.organization, revoked: false,
      access: new Set(), refreshes: 0, in_flight: 0, max_in_flight: 0, reused: 0,
    };
    pending.grant = grant;
    this.grants.push(grant);
    return this.issue(grant, this.newRefresh(grant));
  }

  renew(app, form) {
    const known = this.refresh.get(form.refresh_token);
    const dead = () => this.fail(400, 'invalid_grant', 'Invalid refresh token');
    if (!known || known.grant.app !== app || known.grant.revoked) return dead();
    const { grant } = known;
    const mode = this.settings.rotation;
    if (known.state !== 'current') {
      grant.reused += 1;
      if (mode === 'family') this.revoke(grant);
      if (!(mode === 'grace' && known.until > this.clock.now())) return dead();
    }
    grant.refreshes += 1;
    if (mode === 'none') return this.issue(grant, form.refresh_token);
    if (known.state === 'current') {
      known.state = 'previous';
      known.until = this.clock.now() + this.settings.grace * 1000;
    }
    return this.issue(grant, this.newRefresh(grant));
  }

  newRefresh(grant) {
    const value = hex(24);
    this.refresh.set(value, { grant, state: 'current' });
    return value;
  }

  issue(grant, refresh_token) {
    const access_token = `sbp_oauth_${hex(20)}`;
    this.identity.tokens.set(access_token, {
      kind: 'oauth', user: grant.user, grant, expires_at: this.clock.now() + this.settings.expires_in * 1000,
    });
    grant.access.add(access_token);
    const answer = { access_token, refresh_token, expires_in: this.settings.expires_in, token_type: 'Bearer' };
    if (this.settings.omit_refresh_token && grant.access.size > 1) delete answer.refresh_token;
    return answer;
  }

  // By the app (with the current refresh token) or by the user
  revokeBy(form) {
    const app = this.client(form);
    const known = this.refresh.get(form.refresh_token);
    if (!known || known.grant.app !== app || known.grant.revoked) this.fail(400, 'invalid_grant', 'Invalid refresh token');
    this.revoke(known.grant);
  }

  revoke(grant) {
    grant.revoked = true;
    for (const value of grant.access) this.identity.tokens.get(value).revoked = true;
    for (const known of this.refresh.values()) if (known.grant === grant) known.state = 'dead';
  }

  // A refresh is in flight from its arrival to the end of its answer; two at once of one grant are a mistake of the
  // client when tokens rotate
  arrive(form) {
    const grant = form?.grant_type === 'refresh_token' ? this.refresh.get(form.refresh_token)?.grant : undefined;
    if (!grant) return () => {};
    grant.in_flight += 1;
    grant.max_in_flight = Math.max(grant.max_in_flight, grant.in_flight);
    return () => { grant.in_flight -= 1; };
  }

  describe() {
    return this.grants.map((grant) => ({
      id: grant.id, client_id: grant.app.client_id, user: grant.user.name, organization_slug: grant.organization,
      revoked: grant.revoked, refreshes: grant.refreshes, in_flight: grant.in_flight, max_in_flight: grant.max_in_flight,
      reused: grant.reused, access_tokens: grant.access.size,
    }));
  }
}
