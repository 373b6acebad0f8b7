// One request, from bytes to bytes: fault, caller, rate, shape, handler, answer. The service looks in this order:
// without a token nothing else is said, and a request too many is refused whatever it asks.
import zlib from 'node:zlib';
import { Refusal, refuse } from './errors.mjs';
import { explain } from './description.mjs';
import { parseMultipart } from './multipart.mjs';

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export function readBody(request, limit = 32 * 1024 * 1024) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    let size = 0;
    request.on('data', (chunk) => {
      size += chunk.length;
      if (size > limit) reject(new Refusal(413, 'request entity too large'));
      else chunks.push(chunk);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('aborted', () => reject(new Error('aborted')));
  });
}

function parseBody(op, bytes, header) {
  if (!op.body) return { value: undefined, surplus: bytes.length > 0 };
  const type = (header ?? '').split(';')[0].trim().toLowerCase();
  if (bytes.length === 0 && type === '') return { value: undefined, type: null };
  const accepted = Object.keys(op.body.content);
  if (!accepted.includes(type)) refuse(415, `Unsupported Media Type: ${type || 'none'}`);
  if (type === 'application/json') {
    try {
      return { type, value: bytes.length === 0 ? undefined : JSON.parse(bytes.toString('utf8')) };
    } catch (error) {
      return refuse(400, error.message);
    }
  }
  if (type === 'application/x-www-form-urlencoded') return { type, value: Object.fromEntries(new URLSearchParams(bytes.toString('utf8'))) };
  if (type === 'multipart/form-data') return { type, ...parseMultipart(bytes, header) };
  return { type, value: bytes.toString('latin1'), bytes };
}

function checkParameters(op, params, search, headers) {
  const query = {};
  const given = new Set(search.keys());
  for (const spec of op.parameters) {
    let values;
    if (spec.in === 'path') values = [params[spec.name]];
    else if (spec.in === 'query') values = search.has(spec.name) ? search.getAll(spec.name) : undefined;
    else values = headers[spec.name.toLowerCase()] === undefined ? undefined : [headers[spec.name.toLowerCase()]];
    const { value, error } = op.parameter(spec, values);
    if (error) refuse(400, error);
    if (spec.in !== 'path' && value !== undefined) query[spec.name] = value;
    given.delete(spec.name);
  }
  for (const name of given) refuse(400, `Unrecognized key: "${name}"`);
  return query;
}

export class Door {
  constructor(simulator) { this.simulator = simulator; }

  async serve(request, response, door) {
    const { audit, description, faults } = this.simulator;
    const url = new URL(request.url, 'http://simulator');
    const bytes = await readBody(request);
    const { op, params, known } = description.match(request.method, url.pathname);
    const entry = audit.open({
      door, at: this.simulator.clock.iso(), method: request.method, path: op && params.token ? op.template : url.pathname,
      template: op?.template ?? null, operation: op?.id ?? null, project: params?.ref ?? null,
      query: [...url.searchParams.keys()], body: [], token: request.headers.authorization ? 'unknown' : 'none',
      accept: request.headers.accept ?? null, content_type: request.headers['content-type'] ?? null,
      user_agent: request.headers['user-agent'] ?? null, body_bytes: bytes.length,
    });
    const fault = faults.take(request.method, op?.template ?? url.pathname, url.pathname);
    const context = { op, params, search: url.searchParams, bytes, entry, request, known };
    context.release = this.arrive(context);
    try {
      await this.withFault(context, response, fault);
    } finally {
      context.release();
    }
  }

  arrive({ op, bytes }) {
    if (op?.id !== 'v1-exchange-oauth-token') return () => {};
    return this.simulator.oauth.arrive(Object.fromEntries(new URLSearchParams(bytes.toString('utf8'))));
  }

  async withFault(context, response, fault) {
    const { entry } = context;
    if (fault) entry.fault = fault.form ?? (fault.reset ? `reset ${fault.reset}` : fault.status ?? 'latency');
    if (fault?.latency) await sleep(fault.latency);
    if (fault?.reset === 'before') {
      entry.status = 0;
      response.socket.destroy();
      return;
    }
    if (typeof fault?.status === 'number' && fault.when === 'before') {
      this.send(context, response, faultAnswer(fault), fault);
      return;
    }
    let answer = await this.answer(context);
    if (typeof fault?.status === 'number') answer = { ...faultAnswer(fault), note: `after ${answer.status}` };
    if (fault?.reset === 'after') {
      entry.status = 0;
      entry.committed = answer.status;
      response.socket.destroy();
      return;
    }
    this.send(context, response, answer, fault);
  }

  // everything a handler says as { status, headers, body }
  async answer(context) {
    const headers = {};
    try {
      return await this.pass(context, headers);
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error);
      const { status, body } = error instanceof Refusal ? error : { status: 500, body: { message: 'Internal server error' } };
      return { status, headers: { ...headers, ...error.headers }, body };
    }
  }

  async pass(context, headers) {
    const { op, params, search, bytes, entry, request, known } = context;
    const { identity, rate, audit, world, handlers } = this.simulator;
    if (!op) refuse(known ? 405 : 404, `Cannot ${request.method} ${entry.path}`);
    const token = op.anonymous || op.id === 'v1-oauth-authorize-project-claim' ? null : identity.who(request.headers.authorization);
    if (!op.anonymous && token === null && op.id !== 'v1-oauth-authorize-project-claim') refuse(401, 'Unauthorized');
    entry.token = token?.kind ?? 'none';
    const parsed = (() => { try { return parseBody(op, bytes, request.headers['content-type']); } catch (error) { return { error }; } })();
    const value = parsed.value;
    entry.body = value && typeof value === 'object' ? (Array.isArray(value) ? [`[${value.length}]`] : Object.keys(value)) : [];
    const scope = params.ref ?? params.slug ?? params.branch_id_or_ref ?? (op.id === 'v1-create-a-project' ? value?.organization_slug : null) ?? 'user';
    const counted = rate.take(identity.caller(token, request.socket.remoteAddress), scope, op);
    Object.assign(headers, counted.headers);
    entry.bucket = counted.name;
    if (!counted.passed) refuse(429, 'ThrottlerException: Too Many Requests');
    const query = checkParameters(op, params, search, request.headers);
    if (token) identity.permit(token, op, query.reveal === true ? ['api_gateway_keys_secret_read'] : []);
    if (parsed.error) throw parsed.error;
    this.checkBody(op, parsed);
    const bug = (text) => audit.bug(entry, text);
    if (parsed.surplus) bug('a body that the operation does not take');
    const result = await handlers[op.id]({
      ...this.simulator, op, params, query, body: value, parts: parsed.parts, bytes, token, request, search, bug, world,
    });
    return this.finish(op, result, headers, entry);
  }

  checkBody(op, { type, value }) {
    if (!op.body) return;
    if (value === undefined) refuse(400, 'Invalid input: expected object, received undefined');
    const errors = op.requestErrors(type, value);
    if (errors) refuse(400, explain(errors));
  }

  finish(op, result, headers, entry) {
    let answer = result?.answer ?? { body: result };
    answer = { status: op.success, ...answer, headers: { ...headers, ...answer.headers } };
    if (this.simulator.world.settings.extra && answer.body && !Buffer.isBuffer(answer.body)) answer.body = withExtra(answer.body);
    if (this.simulator.settings.check_answers && answer.status === op.success && answer.body !== undefined && typeof answer.body === 'object') {
      const errors = op.answerErrors(JSON.parse(JSON.stringify(answer.body)));
      if (errors) entry.violations = errors.map((error) => `${error.instancePath} ${error.message}`);
    }
    return answer;
  }

  send(context, response, answer, fault) {
    const { entry, request } = context;
    const { body } = answer;
    let bytes = Buffer.alloc(0);
    const headers = { ...answer.headers };
    if (Buffer.isBuffer(body)) bytes = body;
    else if (typeof body === 'string') bytes = Buffer.from(body);
    else if (body !== undefined) {
      bytes = Buffer.from(JSON.stringify(body));
      headers['Content-Type'] ??= 'application/json; charset=utf-8';
    }
    entry.status = answer.status;
    if (answer.note) entry.note = answer.note;
    const spoilt = spoil(fault, { status: answer.status, headers, bytes });
    entry.status = spoilt.status;
    write(request, response, spoilt, fault);
  }
}

// ---- faults ----------------------------------------------------------------------

function faultAnswer(fault) {
  const texts = { 429: 'ThrottlerException: Too Many Requests', 401: 'Unauthorized', 403: 'Forbidden resource' };
  const body = 'body' in fault ? fault.body : { message: texts[fault.status] ?? `Failed with ${fault.status}` };
  return { status: fault.status, headers: { ...fault.headers }, body: body ?? undefined };
}

// the same answer, spoilt in the way the fault asks for
function spoil(fault, answer) {
  const { headers } = answer;
  switch (fault?.form) {
    case 'html':
      return { status: fault.status ?? 502, headers: { 'Content-Type': 'text/html' }, bytes: Buffer.from('<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n<center><h1>502 Bad Gateway</h1></center>\n<hr><center>cloudflare</center>\n</body>\n</html>\n') };
    case 'empty': return { ...answer, bytes: Buffer.alloc(0) };
    case 'wrong_type': return { ...answer, headers: { ...headers, 'Content-Type': 'text/plain' } };
    case 'truncated': return { ...answer, bytes: answer.bytes.subarray(0, Math.floor(answer.bytes.length / 2)) };
    case 'gzip': return { ...answer, headers: { ...headers, 'Content-Encoding': 'gzip' }, bytes: zlib.gzipSync(answer.bytes) };
    case 'redirect': return { status: fault.status ?? 307, headers: { Location: fault.location ?? '/v1/elsewhere' }, bytes: Buffer.alloc(0) };
    case 'error_in_200': return { status: 200, headers, bytes: Buffer.from(JSON.stringify({ error: fault.body ?? 'Something went wrong' })) };
    default: return { ...answer, headers: { ...headers, ...fault?.headers } };
  }
}

async function write(request, response, { status, headers, bytes }, fault) {
  const cut = fault?.form === 'cut';
  if (status === 204 || request.method === 'HEAD') bytes = Buffer.alloc(0);
  if (fault?.form === 'chunked' || fault?.form === 'slow') {
    response.writeHead(status, headers);
    const size = Math.max(1, Math.ceil(bytes.length / (fault.pieces ?? 10)));
    for (let at = 0; at < bytes.length && !response.destroyed; at += size) {
      response.write(bytes.subarray(at, at + size));
      if (fault.form === 'slow') await sleep(fault.pause ?? 100);
    }
    response.end();
    return;
  }
  // `cut`: the whole length is announced, half of it sent
  if (status !== 204) headers['Content-Length'] = String(bytes.length);
  response.writeHead(status, headers);
  if (cut) {
    response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.socket.destroy());
    return;
  }
  response.end(bytes);
}

// a field nobody knows in every object, as an API that grows has
function withExtra(value) {
  if (Array.isArray(value)) return value.map(withExtra);
  if (value === null || typeof value !== 'object') return value;
  const out = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withExtra(inner)]));
  return { ...out, added_lately: { since: 'now' } };
}
