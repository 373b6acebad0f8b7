// Configuration documents: what a GET shows and a write changes. Most differ only in where the document comes from
// and in how a change is applied, so they are rows of a table.
import { refuse } from '../errors.mjs';
import { sample } from '../description.mjs';
import { hmac } from '../world.mjs';
import { hostOf } from './projects.mjs';

const merge = (doc, change) => {
  for (const [key, value] of Object.entries(change)) {
    if (value && typeof value === 'object' && !Array.isArray(value) && doc[key] && typeof doc[key] === 'object') merge(doc[key], value);
    else doc[key] = value;
  }
};

// a handler over the document `name`: `make` its first state, `change` what a write does, `show` what is answered
const document = (name, { make, change = merge, show = (doc) => doc, ready = {} }) => (context) => {
  const { world, token, params, op, body } = context;
  const project = world.project(token, params.ref, { config: true });
  if (ready) world.ready(project, ready);
  const doc = world.doc(project, name, () => make({ ...context, project }));
  if (op.method !== 'GET') change(doc, body, { ...context, project });
  return Object.keys(op.answers).length > 0 ? show(doc, { ...context, project }) : undefined;
};

// ---- auth ------------------------------------------------------------------------

const secretFields = /_secret$|_secrets$|^smtp_pass$|_auth_token$|_access_key$|_api_key$|_api_secret$/;
const isSecret = (name) => secretFields.test(name) && name !== 'sms_vonage_api_key';
const authDefaults = {
  site_url: 'http://localhost:3000', jwt_exp: 3600, uri_allow_list: '', disable_signup: false, external_email_enabled: true,
  mailer_otp_exp: 3600, mailer_otp_length: 6, mailer_secure_email_change_enabled: true, password_min_length: 6,
  refresh_token_rotation_enabled: true, security_refresh_token_reuse_interval: 10, rate_limit_email_sent: 2, rate_limit_sms_sent: 30,
  rate_limit_verify: 30, rate_limit_token_refresh: 150, rate_limit_anonymous_users: 30, rate_limit_otp: 30, rate_limit_web3: 30,
  mfa_max_enrolled_factors: 10, mfa_totp_enroll_enabled: true, mfa_totp_verify_enabled: true, mfa_phone_otp_length: 6, mfa_phone_max_frequency: 5,
  smtp_max_frequency: 60, sms_otp_length: 6, sms_otp_exp: 60, sms_max_frequency: 5, sessions_timebox: 0, sessions_inactivity_timeout: 0,
  mailer_subjects_confirmation: 'Confirm Your Signup', mailer_subjects_invite: 'You have been invited', sms_template: 'Your code is {{ .Code }}',
};

function makeAuth({ description }) {
  const schema = description.schema('AuthConfigResponse');
  const doc = {};
  for (const [name, field] of Object.entries(schema.properties)) {
    if (name in authDefaults) doc[name] = authDefaults[name];
    else if (field.type === 'boolean') doc[name] = false;
    else doc[name] = field.nullable ? null : sample(description.spec, field, name);
  }
  return { ...doc, security_update_password_require_current_password: false, mfa_allow_low_aal: false };
}

function changeAuth(doc, body, { world, project, bug }) {
  const hooks = Object.keys(body).filter((name) => name.startsWith('hook_'));
  // even when nothing about them changes
  const { plan } = world.organizationOf(project);
  if (hooks.length > 0 && world.settings.plan.gates && plan === 'free') refuse(400, `Auth hooks are not available on the free plan: ${hooks.join(', ')}`);
  if (hooks.some((name) => /mfa_verification|password_verification/.test(name)) && world.settings.plan.gates && !['team', 'enterprise'].includes(plan)) {
    refuse(402, `The following auth hooks are not available on your plan: ${hooks.join(', ')}`);
  }
  for (const [name, value] of Object.entries(body)) {
    if (isSecret(name) && typeof value === 'string' && value !== '') {
      if (value === doc[name]) bug(`the digest of ${name} was sent back as its value`);
      doc[name] = hmac(project.ref, value);
    } else if (name === 'external_apple_additional_client_ids') {
      doc.external_apple_client_id = [doc.external_apple_client_id, value].filter(Boolean).join(',');
    } else doc[name] = value;
  }
}

// ---- database --------------------------------------------------------------------

function changePostgres(doc, { restart_database, ...settings }) {
  // the whole set of overrides is replaced
  for (const name of Object.keys(doc)) delete doc[name];
  Object.assign(doc, settings);
}

const poolerString = (project) => `postgresql://postgres.${project.ref}:[YOUR-PASSWORD]@aws-0-${project.region}.pooler.supabase.com:6543/postgres`;

function poolers(doc, { project }) {
  const entry = (identifier, database_type) => ({
    identifier, database_type, is_using_scram_auth: true, db_user: `postgres.${project.ref}`, db_host: `aws-0-${project.region}.pooler.supabase.com`,
    db_port: 6543, db_name: 'postgres', connection_string: poolerString(project), connectionString: poolerString(project),
    default_pool_size: doc.default_pool_size, max_client_conn: null, pool_mode: doc.pool_mode,
  });
  return [entry(project.ref, 'PRIMARY'), ...project.replicas.map(({ identifier }) => entry(identifier, 'READ_REPLICA'))];
}

function changeDisk(doc, body, { world }) {
  doc.attributes = body.attributes;
  doc.last_modified_at = world.clock.iso();
}

function changeSchedule(doc, body, { world, project }) {
  if (world.settings.plan.gates && world.organizationOf(project).plan === 'free') refuse(402, 'Backup schedule is not available on your plan');
  const day = world.clock.now() - 86400000;
  project.backup_updates = project.backup_updates.filter((at) => at > day);
  if (project.backup_updates.length >= 3) refuse(400, 'The backup schedule can be updated 3 times in 24 hours');
  project.backup_updates.push(world.clock.now());
  Object.assign(doc, { schedule_for: body.schedule_for, updated_at: world.clock.iso() });
}

// ---- network ---------------------------------------------------------------------

const isV6 = (cidr) => cidr.includes(':');
const checkCidrs = (list, v6) => {
  for (const cidr of list) {
    if (isV6(cidr) !== v6 || !/^[0-9a-f.:]+\/\d{1,3}$/i.test(cidr)) refuse(400, `Invalid CIDR: ${cidr}`);
  }
};
const makeRestrictions = ({ world }) => ({
  v4: ['0.0.0.0/0'], v6: ['::/0'], old: null, updated_at: world.clock.iso(), applied_at: world.clock.iso(), polls: 0,
});

function replaceCidrs(doc, v4, v6, { world }) {
  checkCidrs(v4, false);
  checkCidrs(v6, true);
  doc.old = { v4: doc.v4, v6: doc.v6 };
  Object.assign(doc, { v4, v6, updated_at: world.clock.iso(), polls: 1 });
}

const applyRestrictions = (doc, body, context) => replaceCidrs(doc, body.dbAllowedCidrs ?? [], body.dbAllowedCidrsV6 ?? [], context);

function patchRestrictions(doc, { add = {}, remove = {} }, context) {
  const next = (now, plus = [], minus = []) => [...new Set([...now, ...plus])].filter((cidr) => !minus.includes(cidr));
  replaceCidrs(doc, next(doc.v4, add.dbAllowedCidrs, remove.dbAllowedCidrs), next(doc.v6, add.dbAllowedCidrsV6, remove.dbAllowedCidrsV6), context);
}

function showRestrictions(doc, { world, op }) {
  const patch = op.method === 'PATCH';
  const lists = ({ v4, v6 }) => (patch
    ? { dbAllowedCidrs: [...v4.map((address) => ({ address, type: 'v4' })), ...v6.map((address) => ({ address, type: 'v6' }))] }
    : { dbAllowedCidrs: v4, dbAllowedCidrsV6: v6 });
  // applied one look later
  const status = doc.polls > 0 ? 'stored' : 'applied';
  if (op.method === 'GET' && doc.polls > 0 && --doc.polls === 0) doc.applied_at = world.clock.iso();
  return { entitlement: 'allowed', config: lists(doc), ...(doc.old ? { old_config: lists(doc.old) } : {}), status, updated_at: doc.updated_at, applied_at: doc.applied_at };
}

const documents = {
  auth: { make: makeAuth, change: changeAuth },
  postgrest: {
    make: ({ world }) => ({ db_schema: 'public,graphql_public', max_rows: 1000, db_extra_search_path: 'public,extensions', db_pool: null, jwt_secret: world.keys.jwt_secret }),
    show: ({ jwt_secret, ...doc }, { op }) => (op.method === 'GET' ? { ...doc, jwt_secret } : doc),
    ready: { status: 404, message: 'Project not found' },
  },
  postgres: { make: () => ({ max_connections: 60, statement_timeout: '120s' }), change: changePostgres },
  pgbouncer: { make: ({ project }) => ({
    default_pool_size: 15, ignore_startup_parameters: 'extra_float_digits', max_client_conn: 200, pool_mode: 'transaction',
    connection_string: `postgresql://postgres:[YOUR-PASSWORD]@${hostOf(project)}:6543/postgres`, server_idle_timeout: 30,
    server_lifetime: 3600, query_wait_timeout: 120, reserve_pool_size: 0 }) },
  pooler: {
    make: () => ({ default_pool_size: null, pool_mode: 'transaction' }),
    show: (doc, context) => (context.op.method === 'GET' ? poolers(doc, context) : { default_pool_size: doc.default_pool_size, pool_mode: doc.pool_mode }),
  },
  storage: { make: () => ({
    fileSizeLimit: 52428800, features: { imageTransformation: { enabled: false }, s3Protocol: { enabled: true },
      icebergCatalog: { enabled: false, maxNamespaces: 10, maxTables: 10, maxCatalogs: 2 }, vectorBuckets: { enabled: false, maxBuckets: 10, maxIndexes: 5 } },
    capabilities: { list_v2: true, iceberg_catalog: false }, external: { upstreamTarget: 'main' }, migrationVersion: 'operation-ergonomics', databasePoolMode: 'transaction' }) },
  realtime: { make: () => ({
    private_only: false, connection_pool: 2, max_concurrent_users: 200, max_events_per_second: 100, max_bytes_per_second: 100000,
    max_channels_per_client: 100, max_joins_per_second: 100, max_presence_events_per_second: 100, max_payload_size_in_kb: 100, suspend: false, presence_enabled: true }) },
  disk: { make: () => ({ attributes: { type: 'gp3', iops: 3000, size_gb: 8, throughput_mibps: 125 } }), change: changeDisk },
  disk_util: { make: ({ world }) => ({ timestamp: world.clock.iso(), metrics: { fs_size_bytes: 8350298112, fs_avail_bytes: 7901417472, fs_used_bytes: 448880640 } }) },
  disk_autoscale: { make: () => ({ growth_percent: 50, min_increment_gb: 4, max_size_gb: null }) },
  ssl: {
    make: () => ({ database: false, polls: 0 }),
    change: (doc, body) => Object.assign(doc, { database: body.requestedConfig.database, polls: 1 }),
    show: (doc, { op }) => {
      const applied = doc.polls === 0;
      if (op.method === 'GET' && doc.polls > 0) doc.polls -= 1;
      return { currentConfig: { database: doc.database }, appliedSuccessfully: applied };
    },
  },
  jit: {
    make: () => ({ state: 'disabled' }),
    show: (doc, { project }) => (project.engine === '15' ? { state: 'unavailable', unavailableReason: 'postgres_upgrade_required' } : { ...doc, appliedSuccessfully: true }),
  },
  schedule: { make: ({ world }) => ({ schedule_for: '03:00:00', updated_at: world.clock.iso() }), change: changeSchedule, ready: null },
  restrictions: { make: makeRestrictions, change: (doc, body, context) => (context.op.method === 'PATCH' ? patchRestrictions : applyRestrictions)(doc, body, context), show: showRestrictions },
};

const operations = {
  auth: ['v1-get-auth-service-config', 'v1-update-auth-service-config'],
  postgrest: ['v1-get-postgrest-service-config', 'v1-update-postgrest-service-config'],
  postgres: ['v1-get-postgres-config', 'v1-update-postgres-config'],
  pgbouncer: ['v1-get-project-pgbouncer-config'], pooler: ['v1-get-pooler-config', 'v1-update-pooler-config'],
  storage: ['v1-get-storage-config', 'v1-update-storage-config'], realtime: ['v1-get-realtime-config', 'v1-update-realtime-config'],
  disk: ['v1-get-database-disk', 'v1-modify-database-disk'], disk_util: ['v1-get-disk-utilization'], disk_autoscale: ['v1-get-project-disk-autoscale-config'],
  ssl: ['v1-get-ssl-enforcement-config', 'v1-update-ssl-enforcement-config'], jit: ['v1-get-jit-access-config', 'v1-update-jit-access-config'],
  schedule: ['v1-get-backup-schedule', 'v1-update-backup-schedule'],
  restrictions: ['v1-get-network-restrictions', 'v1-patch-network-restrictions', 'v1-update-network-restrictions'],
};

export const config = Object.fromEntries(Object.entries(operations).flatMap(([name, ids]) => {
  const handler = document(name, documents[name]);
  return ids.map((id) => [id, handler]);
}));
