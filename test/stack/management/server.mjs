// The simulated Management API: its plain door, its TLS door, and the proxy that stands for the internet.
//   node server.mjs CONFIG.json
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { Description } from './description.mjs';
import { Clock } from './clock.mjs';
import { Audit } from './audit.mjs';
import { Rate } from './rate.mjs';
import { Faults } from './faults.mjs';
import { Identity } from './identity.mjs';
import { OAuth } from './oauth.mjs';
import { World } from './world.mjs';
import { Door, readBody } from './door.mjs';
import { Refusal } from './errors.mjs';
import { seed } from './seed.mjs';
import { control } from './control.mjs';
import { projects } from './handlers/projects.mjs';
import { secrets } from './handlers/secrets.mjs';
import { config } from './handlers/config.mjs';
import { services } from './handlers/services.mjs';
import { platform } from './handlers/platform.mjs';
import { database } from './handlers/database.mjs';
import { authorization } from './handlers/authorize.mjs';

class Simulator {
  constructor(settings) {
    this.settings = { check_answers: false, ...settings };
    this.database = settings.database;
    this.description = new Description();
    this.handlers = { ...projects, ...secrets, ...config, ...services, ...platform, ...database, ...authorization };
    const without = this.description.operations.filter(({ id }) => !this.handlers[id]).map(({ id }) => id);
    if (without.length > 0) throw new Error(`operations without a handler: ${without.join(', ')}`);
    this.clock = new Clock();
    this.audit = new Audit();
    this.faults = new Faults();
    this.rate = new Rate(this.clock);
    this.reset({});
  }

  reset(options) {
    this.settings.browser_user = 'ada';
    this.clock.reset();
    this.audit.clear();
    this.faults.clear();
    this.rate.reset();
    this.identity = new Identity(this.clock);
    this.oauth = new OAuth(this.clock, this.identity);
    this.world = new World({ description: this.description, clock: this.clock, identity: this.identity, keys: this.settings.keys });
    seed(this, options);
    return { organizations: this.world.organizations.size, projects: [...this.world.projects.values()].filter((one) => !one.is_branch)
      .map(({ ref, name, organization, status }) => ({ ref, name, organization_slug: organization, status })) };
  }
}

const say = (response, status, body, headers = {}) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(text);
};

// the buttons of the consent page
async function decide(simulator, request, response) {
  const form = new URLSearchParams((await readBody(request)).toString('utf8'));
  const { oauth, world, identity, settings } = simulator;
  const asked = oauth.request(form);
  const user = identity.users.get(settings.browser_user);
  let location = oauth.deny(asked);
  if (form.get('decision') === 'authorize') {
    const organization = world.organizations.get(form.get('organization_slug'));
    if (!organization?.members.some(({ user_id }) => user_id === user.id)) throw new Refusal(400, 'Invalid organization');
    if (asked.project_ref) Object.assign(world.projects.get(asked.project_ref) ?? {}, { organization: organization.slug });
    location = oauth.authorize(asked, user, organization.slug);
  }
  response.writeHead(303, { Location: location }).end();
}

async function dispatch(simulator, door, request, response, kind) {
  const url = new URL(request.url, 'http://simulator');
  try {
    const host = (request.headers.host ?? '').split(':')[0];
    if (kind === 'tls' && host.endsWith('.supabase.co')) say(response, 540, { message: 'Project paused' });
    else if (url.pathname === '/oauth/consent' && request.method === 'POST') await decide(simulator, request, response);
    else if (url.pathname.startsWith('/_sim/') && kind === 'plain') {
      say(response, 200, control(simulator, request.method, url, await readBody(request)) ?? {});
    } else await door.serve(request, response, kind);
  } catch (error) {
    if (!(error instanceof Refusal) && error.message !== 'aborted') console.error(error);
    if (response.headersSent) response.destroy();
    else say(response, error.status ?? 500, error.body ?? { message: error.message });
  }
}

// CONNECT: api.supabase.com is the TLS door, <ref>.supabase.co the stack's gateway; nothing else exists
function internet(simulator, ports) {
  const proxy = http.createServer((request, response) => say(response, 403, { message: 'only CONNECT' }));
  proxy.on('connect', (request, client, head) => {
    const target = route(simulator, ports, request.url);
    simulator.audit.tunnels.push({ at: simulator.clock.iso(), target: request.url, allowed: target !== null });
    client.on('error', () => client.destroy());
    if (target === null) {
      client.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    const upstream = net.connect(target, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client);
      client.pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
  });
  return proxy;
}

function route(simulator, { tls, gateway }, authority) {
  if (authority === 'api.supabase.com:443') return tls;
  const ref = /^([a-z]{20})\.supabase\.co:443$/.exec(authority)?.[1];
  const project = ref && simulator.world.projects.get(ref);
  if (!project || project.removed) return null;
  // a paused project's address answers, but not the project
  return ['INACTIVE', 'PAUSING'].includes(simulator.world.settle(project).status) ? tls : gateway;
}

const settings = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const simulator = new Simulator(settings);
const door = new Door(simulator);
const { ports } = settings;
const servers = [
  [http.createServer((request, response) => dispatch(simulator, door, request, response, 'plain')), ports.plain],
  [https.createServer({ cert: fs.readFileSync(settings.certificate), key: fs.readFileSync(settings.key) },
    (request, response) => dispatch(simulator, door, request, response, 'tls')), ports.tls],
  [internet(simulator, ports), ports.internet],
];
for (const [server, port] of servers) {
  server.keepAliveTimeout = 75000;
  server.on('error', (error) => { console.error(error); process.exit(1); });
  server.listen(port, '127.0.0.1');
}
process.on('SIGTERM', () => process.exit(0));
