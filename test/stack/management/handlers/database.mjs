// What reaches the project's database: queries, migrations, roles, just-in-time access.
import { refuse } from '../errors.mjs';
import { runSql } from '../sql.mjs';
import { sha256 } from '../world.mjs';

const own = (handler) => (context) => {
  const project = context.world.ready(context.world.project(context.token, context.params.ref));
  return handler({ ...context, project });
};

const rows = (result) => ({ answer: { body: result } });
const query = ({ body, database, op }) => runSql(database, body.query, {
  parameters: body.parameters, readOnly: op.id === 'v1-read-only-query' || body.read_only === true,
}).then(rows);

// ---- migrations ------------------------------------------------------------------

const migrationsOf = (world, project) => world.items(project, 'migrations');
function newVersion(list, world) {
  let version = world.clock.iso().replace(/\D/g, '').slice(0, 14);
  while (list.some((one) => one.version === version)) version = String(BigInt(version) + 1n);
  return version;
}

async function migrate({ world, project, body, query: { 'Idempotency-Key': key }, database, token, op }) {
  const list = migrationsOf(world, project);
  const known = key === undefined ? null : list.find(({ idempotency_key }) => idempotency_key === key);
  if (known && op.method === 'POST') return;
  if (op.method === 'POST') await runSql(database, body.query, {});
  const fields = {
    name: body.name, statements: [body.query], rollback: body.rollback === undefined ? undefined : [body.rollback], created_by: token.user.email, idempotency_key: key,
  };
  if (known) Object.assign(known, fields);
  else list.push({ version: newVersion(list, world), ...fields });
}

const findMigration = (world, project, version) => migrationsOf(world, project).find((one) => one.version === version) ?? refuse(404, 'Migration not found');
function patchMigration({ world, project, params, body }) {
  const one = findMigration(world, project, params.version);
  if (body.name !== undefined) one.name = body.name;
  if (body.rollback !== undefined) one.rollback = [body.rollback];
}
async function rollback({ world, project, query: { gte }, database }) {
  const list = migrationsOf(world, project);
  for (const one of list.filter(({ version }) => BigInt(version) >= BigInt(gte)).reverse()) {
    for (const statement of one.rollback ?? []) await runSql(database, statement, {});
    list.splice(list.indexOf(one), 1);
  }
}

// ---- the database's description ---------------------------------------------------

async function context({ database }) {
  const list = await runSql(database, "select nspname as name from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' order by 1", { readOnly: true });
  return { databases: [{ name: 'postgres', schemas: list }] };
}

const columns = `select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as nullable
  from pg_class c join pg_attribute a on a.attrelid = c.oid join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relkind in ('r','p','v','m') and a.attnum > 0 and not a.attisdropped order by c.relname, a.attnum`;
const byTable = (list) => list.reduce((all, row) => ({ ...all, [row.table]: [...(all[row.table] ?? []), row] }), {});
const tsType = (type) => (/^(integer|bigint|smallint|numeric|double|real)/.test(type) ? 'number' : type === 'boolean' ? 'boolean' : /^json/.test(type) ? 'Json' : 'string');

async function typescript({ database, query: { included_schemas = 'public' } }) {
  let types = 'export type Database = {\n';
  for (const schema of included_schemas.split(',')) {
    types += `  ${JSON.stringify(schema)}: {\n    Tables: {\n`;
    for (const [table, list] of Object.entries(byTable(await runSql(database, columns, { parameters: [schema], readOnly: true })))) {
      types += `      ${JSON.stringify(table)}: { Row: {${list.map(({ name, type, nullable }) => ` ${JSON.stringify(name)}: ${tsType(type)}${nullable ? ' | null' : ''}`).join(';')} } }\n`;
    }
    types += '    }\n  }\n';
  }
  return { types: `${types}}\n` };
}

async function openapi({ database, query: { schema = 'public' } }) {
  const tables = byTable(await runSql(database, columns, { parameters: [schema], readOnly: true }));
  return {
    swagger: '2.0', info: { title: 'standard public schema', version: '12.0.2' },
    paths: Object.fromEntries(Object.keys(tables).map((name) => [`/${name}`, { get: { tags: [name] } }])),
    definitions: Object.fromEntries(Object.entries(tables).map(([name, list]) => [name, { type: 'object',
      properties: Object.fromEntries(list.map((column) => [column.name, { format: column.type, type: tsType(column.type).toLowerCase() }])) }])),
  };
}

// ---- access ----------------------------------------------------------------------

const jitOf = (world, project) => world.items(project, 'jit');
const noJit = () => refuse(404, 'Just-in-time access not found');
const mine = ({ world, project, token }) => jitOf(world, project).find(({ user_id }) => user_id === token.user.id) ?? noJit();
function authorizeJit(given) {
  const { user_id, user_roles } = mine(given);
  const role = user_roles.find((one) => one.role === given.body.role) ?? refuse(403, 'The role is not granted');
  if (role.expires_at !== undefined && role.expires_at * 1000 < given.world.clock.now()) refuse(403, 'The grant has expired');
  return { user_id, user_role: role };
}
function putJit({ world, project, body }) {
  if (!world.organizationOf(project).members.some(({ user_id }) => user_id === body.user_id)) refuse(404, 'User is not a member of the organization');
  const list = jitOf(world, project);
  const one = list.find(({ user_id }) => user_id === body.user_id);
  if (one) one.user_roles = body.roles;
  else list.push({ user_id: body.user_id, user_roles: body.roles });
  return { user_id: body.user_id, user_roles: body.roles };
}
function deleteJit({ world, project, params }) {
  const list = jitOf(world, project);
  const at = list.findIndex(({ user_id }) => user_id === params.user_id);
  if (at < 0) noJit();
  list.splice(at, 1);
}

export const database = {
  'v1-run-a-query': own(query), 'v1-read-only-query': own(query),
  'v1-list-migration-history': own(({ world, project }) => migrationsOf(world, project).map(({ version, name }) => ({ version, ...(name === undefined ? {} : { name }) }))),
  'v1-apply-a-migration': own(migrate), 'v1-upsert-a-migration': own(migrate), 'v1-rollback-migrations': own(rollback),
  'v1-get-a-migration': own(({ world, project, params }) => findMigration(world, project, params.version)), 'v1-patch-a-migration': own(patchMigration),
  'v1-enable-database-webhook': own(() => undefined), 'v1-get-database-metadata': own(context),
  'v1-update-database-password': own(({ project, body }) => { project.password = sha256(body.password); return { message: 'Successfully updated password' }; }),
  'v1-generate-typescript-types': own(typescript), 'v1-get-database-openapi': own(openapi),
  'v1-create-login-role': own(({ world, body }) => ({ role: `cli_login_${body.read_only ? 'supabase_read_only_user' : 'postgres'}`, password: world.secret(16), ttl_seconds: 300 })),
  'v1-delete-login-roles': own(() => ({ message: 'ok' })),
  'v1-get-jit-access': own(mine), 'v1-authorize-jit-access': own(authorizeJit), 'v1-update-jit-access': own(putJit),
  'v1-list-jit-access': own(({ world, project }) => ({ items: jitOf(world, project) })), 'v1-delete-jit-access': own(deleteJit),
};
