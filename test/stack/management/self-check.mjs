// See self-check. The walk is done directly, with the simulator holding its answers against the description, and
// through Prism when there is one; then what the description does not say: who may, how often, in which state.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import tls from 'node:tls';
import { walk } from './walk.mjs';

const { STACK_MANAGEMENT_URL: direct, STACK_MANAGEMENT_TOKEN: token, STACK_CONTRACT_URL: contract } = process.env;
const client = { id: process.env.STACK_MANAGEMENT_OAUTH_CLIENT_ID, secret: process.env.STACK_MANAGEMENT_OAUTH_CLIENT_SECRET,
  redirect: process.env.STACK_MANAGEMENT_OAUTH_REDIRECT_URI };
const { paths } = JSON.parse(fs.readFileSync(new URL('openapi.json', import.meta.url)));
const operations = Object.entries(paths).flatMap(([template, methods]) => Object.entries(methods).map(([method, spec]) => ({
  method: method.toUpperCase(), template, id: spec.operationId, success: Number(Object.keys(spec.responses)[0]) })));

// What Prism cannot be asked, and why; the walk without Prism has them
const notThroughPrism = {
  'v1-deploy-a-function': 'Prism does not see one `file` part as an array, nor `metadata` as JSON',
  'v1-get-a-function-body': 'the description says JSON, the service answers a binary file',
};
// Not part of the walk: the first two are pages for a browser, where the description has an answer without content
const elsewhere = ['v1-authorize-user', 'v1-oauth-authorize-project-claim', 'v1-exchange-oauth-token', 'v1-revoke-token'];

let count = 0;
let failed = 0;
function ok(passed, name, note = '') {
  count += 1;
  if (!passed) failed += 1;
  console.log(`${passed ? 'ok' : 'not ok'} ${count} - ${name}`);
  if (!passed && note) console.log(String(note).replace(/^/gm, '# ').slice(0, 1500));
}
const is = (got, wanted, name) => ok(JSON.stringify(got) === JSON.stringify(wanted), name, `got ${JSON.stringify(got)}\nwanted ${JSON.stringify(wanted)}`);

async function call(base, method, path, { body, headers = {}, auth = token, raw } = {}) {
  const all = { accept: 'application/json', ...headers };
  if (auth) all.authorization = `Bearer ${auth}`;
  let payload = raw;
  if (body !== undefined) {
    payload = JSON.stringify(body);
    all['content-type'] = 'application/json';
  }
  const response = await fetch(base + path, { method, headers: all, body: payload, redirect: 'manual' });
  const bytes = Buffer.from(await response.arrayBuffer());
  let json;
  try { json = JSON.parse(bytes.toString()); } catch { json = undefined; }
  return { status: response.status, headers: response.headers, json, text: bytes.toString(), bytes };
}
const api = (method, path, options) => call(direct, method, path, options);
const sim = async (name, body, method = body === undefined ? 'GET' : 'POST') => (await call(direct, method, `/_sim/${name}`, { body, auth: null })).json;

const form = (fields) => ({ raw: new URLSearchParams(fields).toString(), headers: { 'content-type': 'application/x-www-form-urlencoded' }, auth: null });
const pick = (value, path) => path.split('.').reduce((inner, name) => inner?.[name], value);

function multipart({ metadata, files }) {
  const form = new FormData();
  form.append('metadata', JSON.stringify(metadata));
  for (const [name, source] of Object.entries(files)) form.append('file', new Blob([source]), name);
  return form;
}

const matches = ({ method, template }, step) => method === step.method
  && new RegExp(`^${template.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`).test(step.path.replace(/\?.*/, ''));
const operationOf = (step) => operations.filter((op) => matches(op, step)).sort((a, b) => a.template.split('{').length - b.template.split('{').length)[0];

async function tokenCalls(base) {
  const asked = { client_id: client.id, response_type: 'code', redirect_uri: client.redirect };
  const { headers } = await api('POST', '/oauth/consent', form({ ...asked, organization_slug: 'acme', decision: 'authorize' }));
  const code = new URL(headers.get('location')).searchParams.get('code');
  const options = form({ grant_type: 'authorization_code', code, redirect_uri: client.redirect, client_id: client.id, client_secret: client.secret });
  const exchanged = await call(base, 'POST', '/v1/oauth/token', options);
  const revoke = { client_id: client.id, client_secret: client.secret, refresh_token: exchanged.json?.refresh_token };
  const revoked = await call(base, 'POST', '/v1/oauth/revoke', { body: revoke, auth: null });
  return [[exchanged, 201], [revoked, 204]].filter(([answer, wanted]) => answer.status !== wanted).map(([answer]) => `token: ${answer.status} ${answer.text}`);
}

async function walkThrough(base, name, exclude) {
  await sim('reset', {});
  await sim('rate', { enabled: false });
  await sim('answers', { check: true });
  const known = {};
  const fill = (text) => text.replace(/\$(\w+)/g, (all, variable) => (variable in known ? known[variable] : all));
  const deep = (value) => JSON.parse(JSON.stringify(value), (key, inner) => (typeof inner !== 'string' ? inner
    : /^\$(\w+)$/.test(inner) && inner.slice(1) in known ? known[inner.slice(1)] : inner.startsWith('$ref') ? fill(inner) : inner));
  const bad = [];
  const seen = new Set(elsewhere);
  for (const step of walk) {
    const op = operationOf(step);
    seen.add(op.id);
    if (step.before) {
      const { plan, ...rest } = step.before;
      await sim(`project/${known.ref}`, rest);
      if (plan) await sim('plan', { organization_slug: 'acme', plan });
    }
    const path = fill(step.path) + (step.query ? `?${fill(step.query)}` : '');
    const at = exclude[op.id] ? direct : base;
    const answer = await call(at, step.method, path, { body: step.body === undefined ? undefined : deep(step.body), headers: { ...step.headers, ...(step.accept ? { accept: step.accept } : {}) },
      raw: step.multipart ? multipart(step.multipart) : undefined });
    if (answer.status !== op.success) bad.push(`${op.id}: ${answer.status} instead of ${op.success}: ${answer.text.slice(0, 300)}`);
    for (const [variable, where] of Object.entries(step.keep ?? {})) known[variable] = pick(answer.json, where);
  }
  bad.push(...await tokenCalls(base));
  is(bad, [], `${name}: each operation succeeds with its documented status`);
  is(operations.filter(({ id }) => !seen.has(id)).map(({ id }) => id), [], `${name}: all ${operations.length} operations`);
  is((await sim('answers')).violations, [], `${name}: all answers are as described`);
  is((await sim('requests?count=only')).bugs, [], `${name}: no request is a known mistake`);
}

// that Prism looks at all, in both directions
async function canaries(P) {
  const request = await call(contract, 'PATCH', P, { body: { nme: 'x' } });
  is(request.status, 422, 'Prism: a bad request is a violation');
  await sim('fault', { method: 'GET', route: '/v1/projects', status: 200, body: [{ ref: 1 }] });
  const answer = await call(contract, 'GET', '/v1/projects');
  ok(answer.status === 500 && answer.text.includes('VIOLATIONS'), 'Prism: a bad answer is a violation', `${answer.status} ${answer.text}`);
}

// ---- what the description does not say ---------------------------------------------

const status = async (wanted, name, ...args) => {
  const answer = await api(...args);
  ok(answer.status === wanted, `${name}: ${wanted}`, `${answer.status} ${answer.text}`);
  return answer;
};

async function strictness(P) {
  await status(401, 'no token', 'GET', '/v1/projects', { auth: null });
  await status(401, 'unknown token', 'GET', '/v1/projects', { auth: `sbp_${'0'.repeat(39)}1` });
  const unknown = await status(400, 'unknown property', 'PATCH', P, { body: { name: 'x', nmae: 'y' } });
  is(unknown.json?.message, 'Unrecognized key: "nmae"', 'and its name is told');
  const missing = await status(400, 'missing property', 'PUT', `${P}/ssl-enforcement`, { body: {} });
  is(missing.json?.message, 'requestedConfig: Invalid input: expected object, received undefined', 'in the words of zod');
  await status(400, 'no body', 'POST', `${P}/secrets`);
  await status(400, 'comma list', 'GET', `${P}/health?services=auth,rest`);
  await status(400, 'bad boolean', 'GET', `${P}/api-keys?reveal=yes`);
  await status(400, 'unknown query parameter', 'GET', `${P}/api-keys?revael=true`);
  await status(415, 'form instead of JSON', 'PATCH', P, { raw: 'name=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  await status(404, 'unknown project', 'GET', '/v1/projects/zzzzzzzzzzzzzzzzzzzz');
  await status(404, 'unknown path', 'GET', '/v1/nothing');
  await status(405, 'wrong method', 'PUT', '/v1/projects');
}

async function digests(P, ref) {
  const hmac = (text) => crypto.createHmac('sha256', ref).update(text).digest('hex');
  const sha = (text) => crypto.createHash('sha256').update(text).digest('hex');
  await api('PATCH', `${P}/config/auth`, { body: { smtp_pass: 'word' } });
  const { json: auth } = await api('GET', `${P}/config/auth`);
  is(auth.smtp_pass, hmac('word'), 'an auth secret reads as its HMAC');
  await api('PATCH', `${P}/config/auth`, { body: { smtp_pass: auth.smtp_pass } });
  is((await sim('requests')).bugs.map(({ bug }) => bug), ['the digest of smtp_pass was sent back as its value'], 'sending a digest back is a bug');
  await api('POST', `${P}/secrets`, { body: [{ name: 'A_SECRET', value: 'v' }] });
  const { json: list } = await api('GET', `${P}/secrets`);
  is(list.find(({ name }) => name === 'A_SECRET')?.value, sha('v'), 'a secret reads as its SHA-256');
  await api('DELETE', `${P}/secrets`, { body: ['A_SECRET'] });
  ok(!(await api('GET', `${P}/secrets`)).json.some(({ name }) => name === 'A_SECRET'), 'and is gone after its deletion');
  ok(!JSON.stringify(await sim('requests')).includes('word'), 'the audit has no values');
}

async function life() {
  const body = { name: 'young', organization_slug: 'acme', db_pass: 'secret-pass' };
  const { json: made } = await status(201, 'a project is made', 'POST', '/v1/projects', { body });
  const P = `/v1/projects/${made.ref}`;
  is(made.status, 'COMING_UP', 'and is coming up');
  await status(409, 'its name is taken', 'POST', '/v1/projects', { body });
  await status(404, 'its Data API is not there yet', 'GET', `${P}/postgrest`);
  await status(400, 'it cannot be deleted yet', 'DELETE', P);
  const seen = [];
  for (let i = 0; i < 4; i += 1) seen.push((await api('GET', P)).json.status);
  is(seen.slice(1), ['COMING_UP', 'ACTIVE_HEALTHY', 'ACTIVE_HEALTHY'], 'it is up after some looks');
  const health = await api('GET', `${P}/health?services=pooler`);
  is([health.json[0].status, health.json[0].error], ['UNHEALTHY', 'not found'], 'the pooler is last');
  is((await api('GET', `${P}/health?services=pooler`)).json[0].status, 'ACTIVE_HEALTHY', 'and then healthy');
  await status(200, 'it is deleted', 'DELETE', P);
  is((await status(400, 'then it is absent', 'GET', P)).json.message, 'Resource has been removed', 'in the words of the service');
  await sim('provisioning', { result: 'INIT_FAILED', initial: 'UNKNOWN', polls: 1 });
  const { json: second } = await api('POST', '/v1/projects', { body });
  await api('GET', `/v1/projects/${second.ref}`);
  is([second.status, (await api('GET', `/v1/projects/${second.ref}`)).json.status], ['UNKNOWN', 'INIT_FAILED'], 'a creation that fails');
}

async function plans(P) {
  const hook = { body: { hook_send_sms_enabled: false } };
  await status(200, 'a hook on a paid plan', 'PATCH', `${P}/config/auth`, hook);
  await sim('plan', { organization_slug: 'acme', plan: 'free' });
  await status(400, 'not on the free one, even unchanged', 'PATCH', `${P}/config/auth`, hook);
  await status(402, 'nor add-ons', 'PATCH', `${P}/billing/addons`, { body: { addon_type: 'ipv4', addon_variant: 'ipv4_default' } });
  await sim('plan', { organization_slug: 'acme', plan: 'pro' });
  await sim('absence', { removed: 404, branches: 200 });
  await api('DELETE', `${P}/branches`);
  is((await api('GET', `${P}/branches`)).json, [], 'absence as a test wants it');
  await sim('absence', { branches: 422 });
  await status(422, 'or as the service has it', 'GET', `${P}/branches`);
  await status(406, 'a snippet that is not there', 'GET', '/v1/snippets/00000000-0000-4000-8000-000000000000');
  is((await call(direct, 'POST', '/_sim/absence', { body: { remvoed: 404 }, auth: null })).status, 400, 'a control nobody knows');
}

async function rates(P) {
  await sim('rate', { limit: 2 });
  const first = await api('GET', `${P}/readonly`);
  is(['limit', 'remaining'].map((name) => first.headers.get(`x-ratelimit-${name}`)), ['2', '1'], 'rate headers');
  await api('GET', `${P}/readonly`);
  const third = await status(429, 'a request too many', 'GET', `${P}/readonly`);
  is([third.json.message, third.headers.get('retry-after')], ['ThrottlerException: Too Many Requests', third.headers.get('x-ratelimit-reset')], 'says until when');
  await status(200, 'another route has a bucket of its own', 'GET', `${P}/ssl-enforcement`);
  await sim('clock', { advance: 61 });
  await status(200, 'a new window', 'GET', `${P}/readonly`);
  await sim('rate', { limit: 120 });
}

// ---- OAuth -----------------------------------------------------------------------

const basic = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`;
const tokens = (fields, headers = { authorization: basic }) => {
  const options = form(fields);
  return api('POST', '/v1/oauth/token', { ...options, headers: { ...options.headers, ...headers } });
};

async function consent(decision, verifier) {
  const asked = { client_id: client.id, response_type: 'code', redirect_uri: client.redirect, state: 'st', code_challenge_method: 'S256',
    code_challenge: crypto.createHash('sha256').update(verifier).digest('base64url') };
  const page = await api('GET', `/v1/oauth/authorize?${new URLSearchParams(asked)}`, { auth: null });
  ok(page.status === 200 && page.text.includes('Authorize supabase_fdw') && !/(src|href)=/.test(page.text), 'a consent page that needs nothing else');
  const answer = await api('POST', '/oauth/consent', form({ ...asked, organization_slug: 'acme', decision }));
  return new URL(answer.headers.get('location')).searchParams;
}

async function oauth(P) {
  is((await consent('deny', 'v')).get('error'), 'access_denied', 'denied');
  const back = await consent('authorize', 'verifier');
  is(back.get('state'), 'st', 'state comes back');
  const exchange = { grant_type: 'authorization_code', code: back.get('code'), redirect_uri: client.redirect, code_verifier: 'verifier' };
  is((await tokens(exchange, { authorization: 'Basic eDp5' })).status, 401, 'a wrong client');
  const first = await tokens(exchange);
  is([first.status, first.json.token_type, Object.keys(first.json).length], [201, 'Bearer', 4], 'a code is exchanged');
  const wrong = await consent('authorize', 'one');
  is((await tokens({ ...exchange, code: wrong.get('code') })).status, 400, 'a wrong verifier');
  await sim('clock', { advance: 61 });
  const late = await consent('authorize', 'verifier');
  await sim('clock', { advance: 61 });
  is((await tokens({ ...exchange, code: late.get('code') })).status, 400, 'a code that is too old');

  const use = first.json.access_token;
  await status(200, 'the token reads', 'GET', `${P}/readonly`, { auth: use });
  await status(403, 'but not what has no scope', 'GET', `${P}/config/disk`, { auth: use });
  const list = await api('GET', '/v1/projects', { auth: use });
  ok(list.json.every(({ organization_slug }) => organization_slug === 'acme'), 'only the organization that was chosen');
  await sim(`apps/${client.id}`, { scopes: ['projects:read'] });
  await status(403, 'nor what its app has no scope for', 'GET', `${P}/readonly`, { auth: use });
  await sim(`apps/${client.id}`, { scopes: ['projects:read', 'database:read'] });

  const refresh = (refresh_token) => tokens({ grant_type: 'refresh_token', refresh_token, client_id: client.id, client_secret: client.secret }, {});
  const second = await refresh(first.json.refresh_token);
  is(second.status, 201, 'refreshed');
  is((await refresh(first.json.refresh_token)).status, 400, 'the old refresh token is dead');
  await sim('oauth', { rotation: 'grace' });
  const third = await refresh(second.json.refresh_token);
  const again = await refresh(second.json.refresh_token);
  is(again.status, 201, 'within the grace it is not');
  await sim('fault', { method: 'POST', route: '/v1/oauth/token', reset: 'after' });
  const lost = await refresh(third.json.refresh_token).then(() => 'answered', () => 'lost');
  is(lost, 'lost', 'an answer is lost after the rotation');
  await sim('oauth', { rotation: 'family' });
  is((await refresh(third.json.refresh_token)).status, 400, 'reuse is noticed');
  await status(401, 'and takes the family with it', 'GET', `${P}/readonly`, { auth: again.json.access_token });

  await sim('oauth', { rotation: 'rotate', expires_in: 2 });
  const short = await sim('tokens', { kind: 'oauth' });
  await sim('clock', { advance: 3 });
  await status(401, 'an access token ends', 'GET', `${P}/readonly`, { auth: short.access_token });
  await sim('fault', { method: 'POST', route: '/v1/oauth/token', latency: 100, times: 0 });
  await Promise.all([refresh(short.refresh_token), refresh(short.refresh_token)]);
  await sim('fault', undefined, 'DELETE');
  is((await sim('grants')).grants.at(-1).max_in_flight, 2, 'two refreshes at once are counted');
  const other = await sim('tokens', { kind: 'oauth' });
  const revoke = { client_id: client.id, client_secret: client.secret, refresh_token: other.refresh_token };
  await status(204, 'the app revokes', 'POST', '/v1/oauth/revoke', { body: revoke, auth: null });
  await status(401, 'its token is dead', 'GET', `${P}/readonly`, { auth: other.access_token });
}

async function scoped(P) {
  const { token: narrow } = await sim('tokens', { kind: 'scoped', permissions: ['api_gateway_keys_read'] });
  const refused = await status(403, 'a scoped token without the permission', 'GET', `${P}/readonly`, { auth: narrow });
  ok(Array.isArray(refused.json.missing_permissions), 'is told what is missing');
  await status(200, 'and reads what it may', 'GET', `${P}/api-keys`, { auth: narrow });
  await status(403, 'but does not reveal', 'GET', `${P}/api-keys?reveal=true`, { auth: narrow });
}

async function faults(P) {
  const once = async (rule) => { await sim('fault', { method: 'GET', route: '/v1/projects/{ref}/readonly', ...rule }); return api('GET', `${P}/readonly`); };
  is((await once({ status: 503 })).status, 503, 'fault: status');
  ok((await once({ form: 'html' })).text.startsWith('<html>'), 'fault: HTML');
  is((await once({ form: 'truncated' })).json, undefined, 'fault: truncated');
  is((await once({ form: 'empty' })).text, '', 'fault: empty');
  is((await once({ form: 'gzip' })).json.enabled, false, 'fault: gzip');
  is((await once({ form: 'chunked' })).json.enabled, false, 'fault: chunked');
  is((await once({ form: 'slow', pieces: 3, pause: 5 })).json.enabled, false, 'fault: slow');
  is((await once({ form: 'redirect' })).status, 307, 'fault: redirect');
  is((await once({ form: 'error_in_200' })).json, { error: 'Something went wrong' }, 'fault: error in 200');
  is(await once({ reset: 'before' }).then(() => 'answered', () => 'lost'), 'lost', 'fault: reset');
  is(await once({ form: 'cut' }).then(() => 'answered', () => 'lost'), 'lost', 'fault: cut');
  await sim('fault', { method: 'GET', route: '/v1/projects/{ref}/readonly', statuses: [429, null, 500] });
  const list = [];
  for (let i = 0; i < 4; i += 1) list.push((await api('GET', `${P}/readonly`)).status);
  is(list, [429, 200, 500, 200], 'fault: a sequence');
  await sim('extra', { on: true });
  ok((await api('GET', `${P}/readonly`)).json.added_lately, 'extra fields');
  await sim('extra', { on: false });
  is((await sim('reset', { organizations: 3, projects: 300 })).projects.length, 301, '300 projects, and one of somebody else');
  is((await api('GET', '/v1/projects')).json.length, 300, 'are listed');
}

// ---- rows and roads --------------------------------------------------------------

// the state a stack starts with has a row for every table of the extension
async function rows(P) {
  const lists = { '/v1/organizations': '', '/v1/organizations/acme/members': '', '/v1/organizations/acme/entitlements': 'entitlements', '/v1/snippets': 'data',
    '/v1/organizations/acme/projects': 'projects.0.databases', '/api-keys': '', '/secrets': '', '/branches': '', '/actions': '', '/functions': '', '/storage/buckets': '',
    '/config/auth/sso/providers': 'items', '/config/auth/third-party-auth': '', '/config/auth/signing-keys': 'keys', '/config/database/pooler': '',
    '/database/jit/list': 'items', '/database/migrations': '', '/database/backups': 'backups', '/restore': 'available_versions', '/billing/addons': 'selected_addons',
    '/advisors/security': 'lints', '/advisors/performance': 'lints', '/analytics/endpoints/usage.api-counts': 'result', '/analytics/endpoints/usage.api-requests-count': 'result' };
  const empty = [];
  for (const [path, where] of Object.entries(lists)) {
    const { json } = await api('GET', path.startsWith('/v1') ? path : P + path);
    const list = where === '' ? json : pick(json, where);
    if (!(list?.length > 0)) empty.push(path);
  }
  is(empty, [], 'no list is empty at the start');
  const bans = await api('POST', `${P}/network-bans/retrieve/enriched`);
  is(bans.json.banned_ipv4_addresses.length, 1, 'nor the bans');
  const upgrade = await api('GET', `${P}/upgrade/status`);
  ok(upgrade.json.databaseUpgradeStatus !== null, 'nor the upgrade');
  for (const path of ['/custom-hostname', '/database/backups/restore-point', '/claim-token']) await status(200, `there is a ${path.split('/').at(-1)}`, 'GET', P + path);
}

// [answer of CONNECT, status of the answer in the tunnel]
function throughInternet(host, path, headers) {
  const proxy = new URL(process.env.STACK_INTERNET);
  return new Promise((resolve, reject) => {
    const connect = http.request({ host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: `${host}:443` });
    connect.on('error', reject).on('connect', (response, socket) => {
      if (response.statusCode !== 200) return resolve([response.statusCode, null]);
      const ca = fs.readFileSync(process.env.STACK_CA);
      const secure = tls.connect({ socket, servername: host, ca }, () => {
        const get = http.get({ host, path, headers, createConnection: () => secure }, (answer) => {
          answer.resume();
          resolve([200, answer.statusCode]);
          secure.destroy();
        });
        get.on('error', reject);
      });
      return secure.on('error', reject);
    }).end();
  });
}

async function internet(list) {
  const apikey = { apikey: process.env.STACK_SECRET_KEY };
  is(await throughInternet('api.supabase.com', '/v1/projects', { authorization: `Bearer ${token}` }), [200, 200], 'the API at its real address');
  is(await throughInternet(`${list[0].ref}.supabase.co`, '/rest/v1/products?limit=1', apikey), [200, 200], 'a project at its real address');
  is(await throughInternet(`${list[1].ref}.supabase.co`, '/rest/v1/products?limit=1', apikey), [200, 540], 'a paused one');
  is(await throughInternet('zzzzzzzzzzzzzzzzzzzz.supabase.co', '/', {}), [403, null], 'one that does not exist');
  is(await throughInternet('example.com', '/', {}), [403, null], 'nothing else');
  is((await sim('internet')).tunnels.map(({ allowed }) => allowed), [true, true, true, false, false], 'and all of it is recorded');
}

await walkThrough(direct, 'directly', {});
if (contract) await walkThrough(contract, 'through Prism', notThroughPrism);
else console.log('# no STACK_CONTRACT_URL: not through Prism');
await sim('reset', {});
await sim('answers', { check: false });
const { json: list } = await api('GET', '/v1/projects');
const { ref } = list[0];
const P = `/v1/projects/${ref}`;
await rows(P);
await internet(list);
if (contract) await canaries(P);
await strictness(P);
await digests(P, ref);
await life();
await plans(P);
await rates(P);
await scoped(P);
await oauth(P);
await faults(P);
await sim('reset', {});
console.log(`1..${count}`);
process.exitCode = failed > 0 ? 1 : 0;
