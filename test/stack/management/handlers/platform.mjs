// The rest of the platform: network bans, hostnames, add-ons, SSO, backups, replicas, snippets, usage.
import { refuse } from '../errors.mjs';
import { uuidOf } from '../world.mjs';

const own = (handler, ready = false) => (context) => {
  const project = context.world.project(context.token, context.params.ref);
  if (ready) context.world.ready(project);
  return handler({ ...context, project });
};
const take = (list, test, absent) => {
  const at = list.findIndex(test);
  return at < 0 ? refuse(404, absent) : list.splice(at, 1)[0];
};

// ---- network bans ----------------------------------------------------------------

const bansOf = (world, project) => world.items(project, 'bans');
const removeBans = ({ world, project, body, request }) => {
  const list = bansOf(world, project);
  const addresses = [...body.ipv4_addresses, ...(body.requester_ip ? [request.socket.remoteAddress] : [])];
  project.list.set('bans', list.filter(({ banned_address, identifier }) => !addresses.includes(banned_address)
    || (body.identifier !== undefined && identifier !== body.identifier)));
};

// ---- hostnames -------------------------------------------------------------------

const hostnameStates = ['2_initiated', '3_challenge_verified', '4_origin_setup_completed', '5_services_reconfigured'];
const absentHostname = (world) => refuse(world.settings.absence.hostname, 'No custom hostname configuration found.');
function hostnameView(world, project) {
  const { name, step } = project.hostname ?? absentHostname(world);
  return {
    status: hostnameStates[step], custom_hostname: name,
    data: { success: true, errors: [], messages: [], result: {
      id: uuidOf(`${project.ref} hostname`), hostname: name, custom_origin_server: `${project.ref}.supabase.co`, status: step > 0 ? 'active' : 'pending',
      ssl: { status: step > 0 ? 'active' : 'pending_validation', validation_records: [{ txt_name: `_acme-challenge.${name}`, txt_value: uuidOf(name) }] },
      ownership_verification: { type: 'txt', name: `_cf-custom-hostname.${name}`, value: uuidOf(`own ${name}`) } } },
  };
}

function initializeHostname({ world, project, body }) {
  if (world.settings.plan.gates && !addonsOf(world, project).some(({ type }) => type === 'custom_domain')) {
    refuse(400, 'Please enable the Custom Domain add-on for the project first');
  }
  if (project.hostname) refuse(544, 'Failed to initialize custom hostname: it exists already');
  project.hostname = { name: body.custom_hostname, step: 0 };
  return hostnameView(world, project);
}

const stepHostname = (to) => ({ world, project }) => {
  if (!project.hostname) absentHostname(world);
  if (to === 3 && project.hostname.step < 1) refuse(400, 'Custom hostname is not verified yet');
  project.hostname.step = Math.max(project.hostname.step, to);
  return hostnameView(world, project);
};

function deleteHostname({ world, project, query }) {
  if (!project.hostname) absentHostname(world);
  project.hostname = null;
  if (query.remove_addon) project.list.set('addons', addonsOf(world, project).filter(({ type }) => type !== 'custom_domain'));
}

const vanityTaken = (world, name) => ['www', 'api', 'app', 'taken'].includes(name) || [...world.projects.values()].some(({ vanity }) => vanity === name);
const vanityView = ({ vanity, hostname }) => (vanity ? { status: 'active', custom_domain: `${vanity}.supabase.co` }
  : { status: hostname ? 'custom-domain-used' : 'not-used' });
function activateVanity({ world, project, body: { vanity_subdomain: name } }) {
  if (world.settings.plan.gates && world.organizationOf(project).plan === 'free') refuse(402, 'Vanity subdomains are not available on your plan');
  if (!/^[a-z0-9-]{2,}$/.test(name)) refuse(400, 'Invalid vanity subdomain');
  if (project.vanity !== name && vanityTaken(world, name)) refuse(400, 'The vanity subdomain is not available');
  project.vanity = name;
  return { custom_domain: `${name}.supabase.co` };
}

// ---- add-ons ---------------------------------------------------------------------

const types = [[/^ci_/, 'compute_instance'], [/^cd_/, 'custom_domain'], [/^pitr_/, 'pitr'], [/^ipv4_/, 'ipv4'], [/^auth_mfa_phone/, 'auth_mfa_phone'],
  [/^auth_mfa_web/, 'auth_mfa_web_authn'], [/^log_drain/, 'log_drain']];
const typeOf = (id) => types.find(([pattern]) => pattern.test(id))[1];
const variantIds = (description) => description.schema('ListProjectAddonsResponse').properties.selected_addons.items.properties.variant.properties.id.oneOf.flatMap(({ enum: ids }) => ids);
const variant = (id, at) => ({ id, name: id.split('_').slice(1).join(' '), price: { description: `$${at + 10}/month`, type: 'fixed', interval: 'monthly', amount: at + 10 }, meta: {} });
const addonsOf = (world, project) => world.items(project, 'addons', () => (project.size === 'nano' ? [] : [{ type: 'compute_instance', id: `ci_${project.size}` }]));

function listAddons({ world, project, description }) {
  const ids = variantIds(description);
  const selected = addonsOf(world, project).map(({ type, id }) => ({ type, variant: variant(id, ids.indexOf(id)) }));
  const available = types.map(([pattern, type]) => ({ type, name: type, variants: ids.filter((id) => pattern.test(id)).map((id) => variant(id, ids.indexOf(id))) }));
  return { selected_addons: selected, available_addons: available };
}

function applyAddon({ world, project, body: { addon_type: type, addon_variant: id } }) {
  if (typeOf(id) !== type) refuse(400, `${id} is not a variant of ${type}`);
  if (world.settings.plan.gates && world.organizationOf(project).plan === 'free') refuse(402, 'Add-ons are not available on the free plan');
  const list = addonsOf(world, project);
  const known = list.find((addon) => addon.type === type);
  if (known) known.id = id;
  else list.push({ type, id });
  if (type !== 'compute_instance') return;
  project.size = id.slice(3);
  world.move(project, 'RESIZING', 'ACTIVE_HEALTHY');
}

const removeAddon = ({ world, project, params }) => {
  take(addonsOf(world, project), ({ id }) => id === params.addon_variant, 'Add-on not found');
  if (params.addon_variant.startsWith('ci_')) project.size = 'nano';
};

// ---- SSO and third-party auth ----------------------------------------------------

const ssoOf = (world, project) => {
  if (!world.doc(project, 'saml', () => ({ enabled: true })).enabled) refuse(world.settings.absence.sso, 'SAML 2.0 support is not enabled for this project');
  return world.items(project, 'sso');
};
const findSso = (world, project, id) => ssoOf(world, project).find((one) => one.id === id) ?? refuse(404, `SSO provider ${id} not found`);
function fillSso(world, one, { domains, metadata_url, metadata_xml, attribute_mapping, name_id_format }) {
  const now = world.clock.iso();
  const saml = { id: one.id, entity_id: metadata_url ?? `urn:${one.id}`, metadata_url, metadata_xml, attribute_mapping, name_id_format };
  // what is not sent is dropped
  one.saml = Object.fromEntries(Object.entries(saml).filter(([, value]) => value !== undefined));
  if (domains) one.domains = domains.map((domain) => ({ id: world.uuid(), domain, created_at: now, updated_at: now }));
  one.updated_at = now;
  return one;
}
function createSso({ world, project, body }) {
  if ((body.metadata_url === undefined) === (body.metadata_xml === undefined)) refuse(400, 'Either metadata_url or metadata_xml is needed');
  const list = ssoOf(world, project);
  for (const domain of body.domains ?? []) {
    if (list.some((one) => one.domains.some((other) => other.domain === domain))) refuse(422, `Domain ${domain} is already assigned to an SSO provider`);
  }
  const one = fillSso(world, { id: world.uuid(), domains: [], created_at: world.clock.iso() }, body);
  list.push(one);
  return one;
}

const tpaOf = (world, project) => world.items(project, 'tpa');
function createTpa({ world, project, body }) {
  if (!body.oidc_issuer_url && !body.jwks_url && !body.custom_jwks) refuse(400, 'One of oidc_issuer_url, jwks_url, custom_jwks is needed');
  const now = world.clock.iso();
  const one = {
    id: world.uuid(), type: body.custom_jwks ? 'custom-jwks' : body.oidc_issuer_url ? 'oidc' : 'jwks', oidc_issuer_url: body.oidc_issuer_url ?? null,
    jwks_url: body.jwks_url ?? null, custom_jwks: body.custom_jwks ?? null, resolved_jwks: body.custom_jwks ?? null, inserted_at: now, updated_at: now, resolved_at: null,
  };
  tpaOf(world, project).push(one);
  return one;
}
const tpaAbsent = 'Third party auth integration not found';

// ---- backups, replicas -----------------------------------------------------------

const pitrOn = (world, project) => addonsOf(world, project).some(({ type }) => type === 'pitr');
function backups({ world, project }) {
  const paid = world.organizationOf(project).plan !== 'free';
  const created = Date.parse(project.created_at);
  const list = paid ? [1, 2, 3].map((n) => ({ id: project.number * 10 + n, is_physical_backup: true, status: 'COMPLETED', inserted_at: world.clock.iso(created + n * 60000) })) : [];
  const physical = pitrOn(world, project) ? { earliest_physical_backup_date_unix: Math.floor(created / 1000), latest_physical_backup_date_unix: Math.floor(world.clock.now() / 1000) } : {};
  return { region: project.region, walg_enabled: paid, pitr_enabled: pitrOn(world, project), backups: list, physical_backup_data: physical };
}
function restorePitr({ world, project, body }) {
  if (!pitrOn(world, project)) refuse(400, 'PITR is not enabled for this project.');
  if (body.recovery_time_target_unix * 1000 > world.clock.now()) refuse(400, 'recovery_time_target_unix is in the future');
  world.move(project, 'RESTORING', 'ACTIVE_HEALTHY');
}
function restoreBackup(context) {
  if (!backups(context).backups.some(({ id }) => id === context.body.id)) refuse(404, 'Backup not found');
  context.world.move(context.project, 'RESTORING', 'ACTIVE_HEALTHY');
}
const pointsOf = (world, project) => world.items(project, 'restore_points');
const pointView = ({ name, status, completed_on }) => ({ name, status, completed_on });
function restorePoint({ world, project, query }) {
  const list = pointsOf(world, project);
  const point = query.name === undefined ? list.at(-1) : list.find(({ name }) => name === query.name);
  if (!point) refuse(404, 'Restore point not found');
  const shown = pointView(point);
  Object.assign(point, { status: 'AVAILABLE', completed_on: point.completed_on ?? world.clock.iso() });
  return shown;
}
function createPoint({ world, project, body }) {
  const list = pointsOf(world, project);
  if (list.some(({ name }) => name === body.name)) refuse(409, 'Restore point exists already');
  const point = { name: body.name, status: 'PENDING', completed_on: null };
  list.push(point);
  return pointView(point);
}
function undo({ world, project, body }) {
  const point = pointsOf(world, project).find(({ name }) => name === body.name) ?? refuse(404, 'Restore point not found');
  if (point.status !== 'AVAILABLE') refuse(400, 'Restore point is not available');
  world.move(project, 'RESTORING', 'ACTIVE_HEALTHY');
}
function setupReplica({ world, project, body }) {
  if (world.settings.plan.gates && world.organizationOf(project).plan === 'free') refuse(402, 'Read replicas are not available on your plan');
  project.replicas.push({ region: body.read_replica_region, identifier: `${project.ref}-rr-${body.read_replica_region}-${world.secret(3)}`, status: 'INIT_READ_REPLICA' });
}

function readOnlyMode({ world, project }) {
  const { enabled, until } = project.read_only;
  const active = until > world.clock.now();
  return { enabled, override_enabled: active, override_active_until: active ? world.clock.iso(until) : '' };
}

// ---- snippets, lints, usage ------------------------------------------------------

const snippetHead = ({ content, number, ...fields }) => fields;
function listSnippets({ world, token, query }) {
  const limit = query.limit === undefined ? 10 : Number(query.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 100) refuse(400, 'limit: Invalid input: expected number between 1 and 100');
  const project = query.project_ref ? world.project(token, query.project_ref) : null;
  const by = query.sort_by ?? 'inserted_at';
  const list = world.snippets.filter((one) => one.owner.username === token.user.name && (!project || one.project.id === project.number))
    .sort((a, b) => (a[by] < b[by] ? -1 : a[by] > b[by] ? 1 : a.number - b.number));
  if ((query.sort_order ?? 'desc') === 'desc') list.reverse();
  const from = query.cursor ? Number(Buffer.from(query.cursor, 'base64url').toString()) : 0;
  if (!Number.isInteger(from)) refuse(400, 'cursor: Invalid input');
  const next = from + limit < list.length ? { cursor: Buffer.from(String(from + limit)).toString('base64url') } : {};
  return { data: list.slice(from, from + limit).map(snippetHead), ...next };
}
function getSnippet({ world, token, params }) {
  const one = world.snippets.find(({ id, owner }) => id === params.id && owner.username === token.user.name);
  if (!one) refuse(406, 'Failed to retrieve SQL snippet', { errorEventId: world.secret(8) });
  const { number, ...fields } = one;
  return fields;
}

const lint = (name, title, level, category, detail, metadata) => ({
  name, title, level, facing: 'EXTERNAL', categories: [category], description: `Detects ${title.toLowerCase()}.`, detail,
  remediation: `https://supabase.com/docs/guides/database/database-linter?lint=${name}`, metadata, cache_key: `${name}_public_${metadata.name}`,
});
const lints = {
  performance: [lint('unindexed_foreign_keys', 'Unindexed foreign keys', 'INFO', 'PERFORMANCE', 'Table `public.orders` has a foreign key without an index.',
    { schema: 'public', name: 'orders', type: 'table', fkey_name: 'orders_customer_id_fkey', fkey_columns: [2] })],
  security: [lint('rls_disabled_in_public', 'RLS Disabled in Public', 'ERROR', 'SECURITY', 'Table `public.products` is public, but RLS has not been enabled.',
    { schema: 'public', name: 'products', type: 'table' })],
};

const hours = { '15min': 1, '30min': 1, '1hr': 1, '3hr': 3, '1day': 24, '3day': 72, '7day': 168 };
function apiCounts({ world, query }) {
  const end = Math.floor(world.clock.now() / 3600000) * 3600000;
  return { result: Array.from({ length: hours[query.interval ?? '1day'] }, (_, i) => ({
    timestamp: world.clock.iso(end - i * 3600000), total_auth_requests: i, total_realtime_requests: 0, total_rest_requests: 10 * i, total_storage_requests: 1 })) };
}
function logs({ world, query }) {
  const end = query.iso_timestamp_end ? Date.parse(query.iso_timestamp_end) : world.clock.now();
  const start = query.iso_timestamp_start ? Date.parse(query.iso_timestamp_start) : end - 60000;
  if (end - start > 86400000 || end < start) refuse(400, 'The time range must be at most 24 hours');
  return { result: [{ id: uuidOf(`log ${start}`), timestamp: start * 1000, event_message: 'connection authorized: user=authenticator database=postgres' }] };
}
const functionStats = ({ world }) => ({ result: [{ timestamp: world.clock.now() * 1000, requests_count: 3, success_count: 3, client_err_count: 0, server_err_count: 0, avg_execution_time: 12.5 }] });

const bucketsOf = (world, project) => world.items(project, 'buckets', () => [{
  id: 'avatars', name: 'avatars', owner: '', created_at: project.created_at, updated_at: project.created_at, public: true }]);

export const platform = {
  'v1-list-all-network-bans': own(({ world, project }) => ({ banned_ipv4_addresses: bansOf(world, project).map(({ banned_address }) => banned_address) }), true),
  'v1-list-all-network-bans-enriched': own(({ world, project }) => ({ banned_ipv4_addresses: bansOf(world, project) }), true),
  'v1-delete-network-bans': own(removeBans, true),
  'v1-get-hostname-config': own(({ world, project }) => hostnameView(world, project)), 'v1-Delete hostname config': own(deleteHostname),
  'v1-update-hostname-config': own(initializeHostname), 'v1-verify-dns-config': own(stepHostname(2)), 'v1-activate-custom-hostname': own(stepHostname(3)),
  'v1-get-vanity-subdomain-config': own(({ project }) => vanityView(project)), 'v1-deactivate-vanity-subdomain-config': own(({ project }) => { project.vanity = null; }),
  'v1-check-vanity-subdomain-availability': own(({ world, body }) => ({ available: !vanityTaken(world, body.vanity_subdomain) })),
  'v1-activate-vanity-subdomain-config': own(activateVanity),
  'v1-list-project-addons': own(listAddons), 'v1-apply-project-addon': own(applyAddon), 'v1-remove-project-addon': own(removeAddon),
  'v1-list-all-sso-provider': own(({ world, project }) => ({ items: ssoOf(world, project) }), true), 'v1-create-a-sso-provider': own(createSso, true),
  'v1-get-a-sso-provider': own(({ world, project, params }) => findSso(world, project, params.provider_id), true),
  'v1-update-a-sso-provider': own(({ world, project, params, body }) => fillSso(world, findSso(world, project, params.provider_id), body), true),
  'v1-delete-a-sso-provider': own(({ world, project, params }) => take(ssoOf(world, project), ({ id }) => id === params.provider_id, `SSO provider ${params.provider_id} not found`), true),
  'v1-list-project-tpa-integrations': own(({ world, project }) => tpaOf(world, project)), 'v1-create-project-tpa-integration': own(createTpa),
  'v1-get-project-tpa-integration': own(({ world, project, params }) => tpaOf(world, project).find(({ id }) => id === params.tpa_id) ?? refuse(404, tpaAbsent)),
  'v1-delete-project-tpa-integration': own(({ world, project, params }) => take(tpaOf(world, project), ({ id }) => id === params.tpa_id, tpaAbsent)),
  'v1-list-all-backups': own(backups), 'v1-restore-pitr-backup': own(restorePitr), 'v1-restore-physical-backup': own(restoreBackup),
  'v1-get-restore-point': own(restorePoint), 'v1-create-restore-point': own(createPoint), 'v1-undo': own(undo),
  'v1-setup-a-read-replica': own(setupReplica),
  'v1-remove-a-read-replica': own(({ project, body }) => { take(project.replicas, ({ identifier }) => identifier === body.database_identifier, 'Read replica not found'); }),
  'v1-get-readonly-mode-status': own(readOnlyMode, true),
  'v1-disable-readonly-mode-temporarily': own(({ world, project }) => { project.read_only.until = world.clock.now() + 900000; }, true),
  'v1-list-all-snippets': listSnippets, 'v1-get-a-snippet': getSnippet,
  'v1-get-performance-advisors': own(() => ({ lints: lints.performance }), true), 'v1-get-security-advisors': own(() => ({ lints: lints.security }), true),
  'v1-get-project-usage-api-count': own(apiCounts), 'v1-get-project-usage-request-count': own(() => ({ result: [{ count: 4711 }] })),
  'v1-get-project-logs': own(logs), 'v1-get-project-function-combined-stats': own(functionStats),
  'v1-list-all-buckets': own(({ world, project }) => bucketsOf(world, project), true),
  'v1-shutdown-realtime': own(() => undefined, true),
};
