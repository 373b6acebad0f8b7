// API keys, secrets of functions, signing keys, the root key.
import crypto from 'node:crypto';
import { refuse } from '../errors.mjs';
import { sha256, uuidOf } from '../world.mjs';

// ---- api keys --------------------------------------------------------------------

const mask = (value) => `${value.slice(0, 15)}${'·'.repeat(16)}`;

function newKey(world, { type, name, description = null, secret_jwt_template = null }, value) {
  const now = world.clock.iso();
  const key = value ?? `sb_${type}_${crypto.randomBytes(22).toString('base64url').slice(0, 31)}`;
  return { api_key: key, id: world.uuid(), type, name, prefix: type === 'secret' ? key.slice(10, 15) : key.slice(15, 20), description,
    hash: sha256(key), secret_jwt_template, inserted_at: now, updated_at: now };
}

// every project hands out the stack's own keys, so that what it serves can be read
function keysOf(world, project) {
  return world.items(project, 'api_keys', () => [
    { api_key: world.keys.anon, id: 'anon', type: 'legacy', prefix: '', name: 'anon', description: 'Legacy anon API key', hash: '' },
    { api_key: world.keys.service, id: 'service_role', type: 'legacy', prefix: '', name: 'service_role', description: 'Legacy service_role API key', hash: '' },
    { ...newKey(world, { type: 'publishable', name: 'default' }, world.keys.publishable), id: uuidOf(`${project.ref} publishable`) },
    { ...newKey(world, { type: 'secret', name: 'default', secret_jwt_template: { role: 'service_role' } }, world.keys.secret), id: uuidOf(`${project.ref} secret`) },
  ]);
}

const shown = (key, reveal) => (key.type === 'secret' && !reveal ? { ...key, api_key: mask(key.api_key) } : key);

function listKeys({ world, token, params, query }) {
  const project = world.project(token, params.ref);
  return keysOf(world, project).filter((key) => key.type !== 'legacy' || project.legacy_keys).map((key) => shown(key, query.reveal));
}

function findKey(world, project, id) {
  return keysOf(world, project).find((key) => key.id === id && key.type !== 'legacy') ?? refuse(404, 'API key not found');
}

function createKey({ world, token, params, body, query }) {
  const project = world.project(token, params.ref);
  const keys = keysOf(world, project);
  if (keys.some((key) => key.type === body.type && key.name === body.name)) refuse(409, `API key with name ${body.name} already exists`);
  if (body.type === 'publishable' && body.secret_jwt_template) refuse(400, 'secret_jwt_template is only allowed for secret keys');
  const key = newKey(world, body);
  keys.push(key);
  return shown(key, query.reveal);
}

function updateKey({ world, token, params, body, query }) {
  const key = findKey(world, world.project(token, params.ref), params.id);
  Object.assign(key, body, { updated_at: world.clock.iso() });
  return shown(key, query.reveal);
}

function deleteKey({ world, token, params, query }) {
  const project = world.project(token, params.ref);
  const key = findKey(world, project, params.id);
  const keys = keysOf(world, project);
  keys.splice(keys.indexOf(key), 1);
  return shown(key, query.reveal);
}

function legacyKeys({ world, token, params, query, op }) {
  const project = world.project(token, params.ref);
  if (world.settings.absence.legacy_keys === 404) refuse(404, 'Not Found');
  if (op.method === 'PUT') project.legacy_keys = query.enabled;
  return { enabled: project.legacy_keys };
}

// ---- secrets ---------------------------------------------------------------------

const owned = ['SUPABASE_ANON_KEY', 'SUPABASE_DB_URL', 'SUPABASE_SERVICE_ROLE_KEY', 'SUPABASE_URL'];

export function secretsOf(world, project) {
  return world.items(project, 'secrets', () => owned.map((name) => ({ name, digest: sha256(`${project.ref} ${name}`), updated_at: world.clock.iso() })));
}

function listSecrets({ world, token, params }) {
  const list = [...secretsOf(world, world.project(token, params.ref))].sort((a, b) => (a.name < b.name ? -1 : 1));
  return list.map(({ name, digest, updated_at }) => ({ name, value: digest, updated_at }));
}

function putSecrets({ world, token, params, body, bug }) {
  const list = secretsOf(world, world.project(token, params.ref));
  if (new Set(body.map(({ name }) => name)).size < body.length) refuse(400, 'Duplicate secret names');
  for (const { name, value } of body) {
    const known = list.find((secret) => secret.name === name);
    if (known?.digest === value) bug(`the digest of ${name} was sent back as its value`);
    const fields = { digest: sha256(value), updated_at: world.clock.iso() };
    if (known) Object.assign(known, fields);
    else list.push({ name, ...fields });
  }
}

function deleteSecrets({ world, token, params, body, bug }) {
  const list = secretsOf(world, world.project(token, params.ref));
  for (const name of body) {
    if (owned.includes(name)) refuse(400, `Secret ${name} is managed by the platform`);
    const at = list.findIndex((secret) => secret.name === name);
    if (at >= 0) list.splice(at, 1);
    else bug(`secret ${name} does not exist, deleted all the same`);
  }
}

function rootKey({ world, token, params, op, body }) {
  const project = world.ready(world.project(token, params.ref, { config: true }));
  const doc = world.doc(project, 'pgsodium', () => ({ root_key: sha256(`root key of ${project.ref}`) }));
  if (op.method === 'PUT') {
    if (!/^[0-9a-f]{64}$/i.test(body.root_key)) refuse(400, 'root_key: must be 64 hexadecimal characters');
    doc.root_key = body.root_key;
  }
  return doc;
}

// ---- signing keys ----------------------------------------------------------------

function publicJwk(algorithm, id) {
  const pair = {
    ES256: () => crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }), EdDSA: () => crypto.generateKeyPairSync('ed25519'),
    RS256: () => crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
  }[algorithm]?.();
  return pair ? { kid: id, use: 'sig', alg: algorithm, key_ops: ['verify'], ext: true, ...pair.publicKey.export({ format: 'jwk' }) } : null;
}

function newSigningKey(world, algorithm, status, id = world.uuid()) {
  const now = world.clock.iso();
  return { id, algorithm, status, public_jwk: publicJwk(algorithm, id), created_at: now, updated_at: now };
}

const signingKeys = (world, project) => world.items(project, 'signing_keys', () => [
  newSigningKey(world, 'ES256', 'in_use', uuidOf(`${project.ref} signing`)), newSigningKey(world, 'ES256', 'standby', uuidOf(`${project.ref} standby`))]);

const signing = (handler) => (context) => {
  const project = context.world.ready(context.world.project(context.token, context.params.ref));
  const keys = signingKeys(context.world, project);
  const key = context.params.id ? keys.find(({ id }) => id === context.params.id) ?? refuse(404, 'Signing key not found') : null;
  return handler({ ...context, project, keys, key });
};

function createSigningKey({ world, keys, body }) {
  const status = body.status ?? 'standby';
  if (status === 'standby' && keys.some((key) => key.status === 'standby')) refuse(409, 'A standby key already exists');
  if (body.private_jwk?.alg && body.private_jwk.alg !== body.algorithm) refuse(400, 'private_jwk: its alg is not the algorithm');
  if (status === 'in_use') keys.forEach((key) => { if (key.status === 'in_use') key.status = 'previously_used'; });
  const key = newSigningKey(world, body.algorithm, status);
  keys.push(key);
  return key;
}

function updateSigningKey({ world, keys, key, body }) {
  if (key.status === 'in_use' && body.status !== 'in_use') refuse(400, 'A key in use can only be replaced by another one');
  if (body.status === 'in_use') keys.forEach((other) => { if (other.status === 'in_use') other.status = 'previously_used'; });
  key.status = body.status;
  key.updated_at = world.clock.iso();
  return key;
}

function removeSigningKey({ keys, key }) {
  if (!['revoked', 'standby'].includes(key.status)) refuse(400, 'Only a revoked key can be removed');
  keys.splice(keys.indexOf(key), 1);
  return key;
}

function legacySigningKey({ world, project, op }) {
  if (op.method === 'POST' && project.legacy_signing) refuse(409, 'The legacy key was already imported');
  if (op.method === 'POST') project.legacy_signing = newSigningKey(world, 'HS256', 'previously_used');
  return project.legacy_signing ?? newSigningKey(world, 'HS256', 'previously_used', uuidOf(`${project.ref} legacy`));
}

export const secrets = {
  'v1-get-project-api-keys': listKeys, 'v1-create-project-api-key': createKey,
  'v1-get-project-api-key': ({ world, token, params, query }) => shown(findKey(world, world.project(token, params.ref), params.id), query.reveal),
  'v1-update-project-api-key': updateKey, 'v1-delete-project-api-key': deleteKey,
  'v1-get-project-legacy-api-keys': legacyKeys, 'v1-update-project-legacy-api-keys': legacyKeys,
  'v1-list-all-secrets': listSecrets, 'v1-bulk-create-secrets': putSecrets, 'v1-bulk-delete-secrets': deleteSecrets,
  'v1-get-pgsodium-config': rootKey, 'v1-update-pgsodium-config': rootKey,
  'v1-get-project-signing-keys': signing(({ keys }) => ({ keys })), 'v1-create-project-signing-key': signing(createSigningKey),
  'v1-get-project-signing-key': signing(({ key }) => key), 'v1-update-project-signing-key': signing(updateSigningKey),
  'v1-remove-project-signing-key': signing(removeSigningKey),
  'v1-get-legacy-signing-key': signing(legacySigningKey), 'v1-create-legacy-signing-key': signing(legacySigningKey),
};
