// /_sim/…: what a test reads and turns. Only on the plain door. See README.md.
import { refuse } from './errors.mjs';

const json = (bytes) => (bytes.length === 0 ? {} : JSON.parse(bytes.toString('utf8')));

// only keys that are there already: a mistyped control must not pass in silence
function assign(target, change) {
  for (const [key, value] of Object.entries(change)) {
    if (!(key in target)) refuse(400, `unknown control ${key}; known: ${Object.keys(target).join(', ')}`);
    if (value && typeof value === 'object' && !Array.isArray(value) && typeof target[key] === 'object') assign(target[key], value);
    else target[key] = value;
  }
  return target;
}

function known(given, names) {
  for (const name of Object.keys(given)) if (!names.includes(name)) refuse(400, `unknown ${name}; known: ${names.join(', ')}`);
}

function clock({ clock: time }, method, body) {
  known(body, ['factor', 'advance']);
  if (body.factor !== undefined) time.run(body.factor);
  if (body.advance !== undefined) time.advance(body.advance);
  return time.describe();
}

function requests({ audit }, method, body, query) {
  if (method === 'DELETE') {
    audit.clear();
    return { cleared: true };
  }
  const list = audit.list(query);
  return { count: list.length, requests: query.get('count') === 'only' ? undefined : list, bugs: audit.bugs };
}

function fault({ faults }, method, body) {
  if (method === 'DELETE') faults.clear();
  else if (method === 'POST') {
    for (const rule of [body].flat()) {
      known(rule, ['method', 'route', 'status', 'statuses', 'when', 'body', 'headers', 'latency', 'reset', 'form', 'location', 'pieces', 'pause', 'times', 'skip']);
      faults.add(rule);
    }
  }
  return { rules: faults.rules };
}

function rate(simulator, method, body) {
  known(body, ['enabled', 'limit', 'window', 'headers', 'retry_after', 'routes', 'clear']);
  return method === 'GET' ? { ...simulator.rate.settings, buckets: Object.fromEntries(simulator.rate.buckets) } : simulator.rate.configure(body);
}

function grants({ oauth }, method, body, query, [id, action]) {
  if (!id) return { grants: oauth.describe() };
  const grant = oauth.grants.find((one) => one.id === id) ?? refuse(404, 'no such grant');
  if (action === 'revoke') oauth.revoke(grant);
  // access tokens are refused from now on, the refresh token stays
  if (action === 'expire') for (const value of grant.access) simulatorToken(oauth, value).expires_at = 0;
  return oauth.describe().find((one) => one.id === id);
}
const simulatorToken = (oauth, value) => oauth.identity.tokens.get(value);

function apps({ oauth }, method, body, query, [id]) {
  if (method === 'POST' && !id) return appView(oauth.addApp({ scopes: [], redirect_uris: [], name: 'app', ...body }), true);
  if (!id) return { apps: [...oauth.apps.values()].map((app) => appView(app, false)) };
  const app = oauth.apps.get(id) ?? refuse(404, 'no such app');
  if (body.scopes) app.scopes = new Set(body.scopes);
  if (body.redirect_uris) app.redirect_uris = body.redirect_uris;
  return appView(app, false);
}
const appView = ({ name, redirect_uris, scopes, client_id, client_secret }, secret) => ({
  name, redirect_uris, scopes: [...scopes], client_id, ...(secret ? { client_secret } : {}) });

// tokens without a browser: { kind: personal|scoped|oauth, user, … }
function tokens(simulator, method, body) {
  const { identity, oauth, world } = simulator;
  const user = identity.users.get(body.user ?? 'ada') ?? refuse(404, 'no such user');
  if ((body.kind ?? 'personal') === 'personal') return { token: identity.addPersonal(user) };
  if (body.kind === 'scoped') return { token: identity.addScoped(user, { permissions: [], ...body }) };
  const app = oauth.apps.get(body.client_id ?? simulator.settings.oauth.client_id) ?? refuse(404, 'no such app');
  const organization = body.organization_slug ?? world.organizations.keys().next().value;
  const request = { app, redirect_uri: app.redirect_uris[0], state: null, challenge: null };
  const code = new URL(oauth.authorize(request, user, organization)).searchParams.get('code');
  return oauth.exchange(app, { code, redirect_uri: request.redirect_uri });
}

function project(simulator, method, body, query, [ref]) {
  const one = simulator.world.projects.get(ref) ?? refuse(404, 'no such project');
  if (body.status) Object.assign(one, { status: body.status, pending: null });
  if (body.engine) Object.assign(one, { engine: body.engine, version: `${body.engine}.1.0` });
  if (body.read_only !== undefined) one.read_only.enabled = body.read_only;
  if (body.saml !== undefined) one.docs.set('saml', { enabled: body.saml });
  if (body.bans) one.list.set('bans', body.bans.map((banned_address) => ({ banned_address, identifier: one.ref, type: 'primary' })));
  return { ref, status: one.status, name: one.name, organization_slug: one.organization };
}

function browser({ settings, identity }, method, body) {
  known(body, ['user']);
  if (body.user !== undefined) settings.browser_user = identity.users.has(body.user) ? body.user : refuse(404, 'no such user');
  return { user: settings.browser_user };
}

const setting = (pick) => (simulator, method, body) => assign(pick(simulator), body);

const controls = {
  clock, requests, fault, rate, grants, apps, tokens, browser, project,
  reset: (simulator, method, body) => {
    known(body, ['organizations', 'projects']);
    return simulator.reset(body);
  },
  oauth: setting(({ oauth }) => oauth.settings),
  provisioning: setting(({ world }) => world.settings.provisioning),
  absence: setting(({ world }) => world.settings.absence),
  plan: (simulator, method, { organization_slug, plan, ...rest }) => {
    if (organization_slug) (simulator.world.organizations.get(organization_slug) ?? refuse(404, 'no such organization')).plan = plan;
    return assign(simulator.world.settings.plan, rest);
  },
  extra: ({ world }, method, { on }) => ({ on: world.settings.extra = on ?? world.settings.extra }),
  answers: (simulator, method, { check }) => ({ check: simulator.settings.check_answers = check ?? simulator.settings.check_answers,
    violations: simulator.audit.entries.filter((entry) => entry.violations).map(({ operation, violations }) => ({ operation, violations })) }),
  internet: ({ audit }) => ({ tunnels: audit.tunnels }),
};

export function control(simulator, method, url, bytes) {
  const [, , name, ...rest] = url.pathname.split('/');
  const handler = controls[name] ?? refuse(404, `no control ${name}; there are: ${Object.keys(controls).join(', ')}`);
  return handler(simulator, method, json(bytes), url.searchParams, rest);
}
