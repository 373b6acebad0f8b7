// Organizations, projects and their life: creation, pause, restore, upgrade, health.
import { refuse } from '../errors.mjs';
import { sha256 } from '../world.mjs';

const regions = {
  'us-east-1': ['East US (North Virginia)', 'americas'], 'us-east-2': ['East US (Ohio)', 'americas'],
  'us-west-1': ['West US (North California)', 'americas'], 'us-west-2': ['West US (Oregon)', 'americas'],
  'ca-central-1': ['Canada (Central)', 'americas'], 'sa-east-1': ['South America (São Paulo)', 'americas'],
  'eu-west-1': ['West EU (Ireland)', 'emea'], 'eu-west-2': ['West Europe (London)', 'emea'],
  'eu-west-3': ['West EU (Paris)', 'emea'], 'eu-north-1': ['North EU (Stockholm)', 'emea'],
  'eu-central-1': ['Central EU (Frankfurt)', 'emea'], 'eu-central-2': ['Central Europe (Zurich)', 'emea'],
  'ap-east-1': ['East Asia (Hong Kong)', 'apac'], 'ap-south-1': ['South Asia (Mumbai)', 'apac'],
  'ap-southeast-1': ['Southeast Asia (Singapore)', 'apac'], 'ap-southeast-2': ['Oceania (Sydney)', 'apac'],
  'ap-northeast-1': ['Northeast Asia (Tokyo)', 'apac'], 'ap-northeast-2': ['Northeast Asia (Seoul)', 'apac'],
};
const groups = { americas: 'us-east-1', emea: 'eu-central-1', apac: 'ap-southeast-1' };

export const hostOf = (project) => `db.${project.ref}.supabase.co`;

const head = (project) => ({
  id: project.ref, ref: project.ref, organization_id: project.organization, organization_slug: project.organization,
  name: project.name, region: project.region, status: project.status, created_at: project.created_at,
});
const whole = (project) => ({
  ...head(project),
  database: { host: hostOf(project), version: project.version, postgres_engine: project.engine, release_channel: project.channel },
});
const reference = (project) => ({ id: project.number, ref: project.ref, name: project.name });

function listProjects({ world, token }) {
  return world.projectsOf(token).map((project) => whole(world.poll(project)));
}

function getProject({ world, token, params }) {
  const project = world.project(token, params.ref);
  // the project of a branch is only found as a branch
  if (project.is_branch) refuse(404, 'Project not found');
  return whole(world.poll(project));
}

function sameName(world, organization, name, except) {
  const taken = [...world.projects.values()].some((other) => other !== except && !other.removed && !other.is_branch
    && other.organization === organization.slug && other.name === name);
  if (taken) refuse(409, `Project with name ${name} already exists in your organization.`);
}

function freeLimit(world, token, organization) {
  if (!world.settings.plan.gates || organization.plan !== 'free') return;
  const mine = [...world.projects.values()].filter((project) => !project.removed && !project.is_branch && project.status !== 'INACTIVE'
    && world.organizationOf(project).plan === 'free' && world.organizationOf(project).members.some((m) => m.user_id === token.user.id));
  if (mine.length >= world.settings.free_projects) {
    refuse(400, 'The following organization members have reached their maximum limits for the number of active free projects within '
      + `organizations where they are an administrator or owner: ${token.user.name} (${world.settings.free_projects} project limit).`);
  }
}

function createProject({ world, token, body, bug }) {
  const organization = world.organization(token, body.organization_slug);
  if (body.region && body.region_selection) refuse(400, 'Cannot specify both region and region_selection');
  sameName(world, organization, body.name);
  freeLimit(world, token, organization);
  if (organization.plan === 'free' && body.desired_instance_size) refuse(402, 'Instance size cannot be specified for free plan organizations.');
  const choice = body.region_selection ?? { type: 'specific', code: body.region ?? 'us-east-1' };
  if (body.region) bug('deprecated property region, region_selection is wanted');
  const region = choice.type === 'smartGroup' ? groups[choice.code] : choice.code;
  const project = world.addProject({ name: body.name, organization: organization.slug, region, size: body.desired_instance_size ?? 'micro' });
  project.password = sha256(body.db_pass);
  const { initial, result, pooler_not_found } = world.settings.provisioning;
  project.unseen_pooler = pooler_not_found;
  world.move(project, initial, result);
  return head(project);
}

function updateProject({ world, token, params, body }) {
  const project = world.project(token, params.ref);
  sameName(world, world.organizationOf(project), body.name, project);
  project.name = body.name;
  return reference(project);
}

function deleteProject({ world, token, params }) {
  const project = world.project(token, params.ref);
  if (['COMING_UP', 'UNKNOWN', 'RESTORING', 'UPGRADING', 'PAUSING'].includes(project.status)) refuse(400, 'Project not ready for deletion.');
  for (const other of world.projects.values()) if (other === project || other.parent === project) other.removed = true;
  project.status = 'REMOVED';
  return { ...reference(project), slug: project.organization };
}

// ---- life ------------------------------------------------------------------------

function pause({ world, token, params }) {
  const project = world.project(token, params.ref);
  const organization = world.organizationOf(project);
  if (world.settings.plan.gates && organization.plan !== 'free') refuse(400, 'Only projects on the free plan can be paused.');
  if (project.status !== 'ACTIVE_HEALTHY') refuse(400, `Project in status ${project.status} cannot be paused.`);
  world.move(project, 'PAUSING', 'INACTIVE');
}

function restore({ world, token, params }) {
  const project = world.project(token, params.ref);
  if (project.status !== 'INACTIVE') refuse(400, `Project in status ${project.status} cannot be restored.`);
  freeLimit(world, token, world.organizationOf(project));
  world.move(project, 'RESTORING', 'ACTIVE_HEALTHY');
}

function cancelRestore({ world, token, params }) {
  const project = world.project(token, params.ref);
  if (project.status !== 'RESTORING' && project.status !== 'COMING_UP') refuse(400, 'Project is not being restored.');
  project.pending = null;
  project.status = 'INACTIVE';
}

function restoreVersions({ world, token, params }) {
  world.project(token, params.ref);
  return { available_versions: [
    { version: '15.8.1.085', release_channel: 'ga', postgres_engine: '15' }, { version: '17.4.1.054', release_channel: 'ga', postgres_engine: '17' }] };
}

const progress = ['0_requested', '1_started', '2_launched_upgraded_instance', '3_detached_volume_from_upgraded_instance',
  '4_attached_volume_to_original_instance', '5_initiated_data_upgrade', '6_completed_data_upgrade',
  '7_detached_volume_from_original_instance', '8_attached_volume_to_upgraded_instance', '9_completed_upgrade', '10_completed_post_physical_backup'];

const eligible = (project) => project.engine !== '17';

function eligibility({ world, token, params }) {
  const project = world.ready(world.project(token, params.ref));
  const targets = eligible(project) ? [{ postgres_version: '17', release_channel: 'ga', app_version: '17.4.1.054' }] : [];
  return {
    eligible: eligible(project), current_app_version: `supabase-postgres-${project.version}`, current_app_version_release_channel: project.channel,
    latest_app_version: 'supabase-postgres-17.4.1.054', target_upgrade_versions: targets, duration_estimate_hours: 1,
    legacy_auth_custom_roles: [], objects_to_be_dropped: [], unsupported_extensions: [], user_defined_objects_in_internal_schemas: [],
    validation_errors: [], warnings: [],
  };
}

function upgrade({ world, token, params, body }) {
  const project = world.ready(world.project(token, params.ref));
  if (!eligible(project) || !body.target_version.startsWith('17')) refuse(400, `Project cannot be upgraded to ${body.target_version}`);
  project.upgrade = { tracking_id: world.uuid(), initiated_at: world.clock.iso(), step: 0, target_version: 17 };
  project.status = 'UPGRADING';
  project.pending = null;
  return { tracking_id: project.upgrade.tracking_id };
}

// each look at it is a step
function upgradeStatus({ world, token, params, query }) {
  const { upgrade: state, ...project } = world.project(token, params.ref);
  if (!state || (query.tracking_id && query.tracking_id !== state.tracking_id)) return { databaseUpgradeStatus: null };
  const answer = {
    initiated_at: state.initiated_at, latest_status_at: world.clock.iso(), target_version: state.target_version,
    progress: progress[state.step], status: state.step === progress.length - 1 ? 1 : 0,
  };
  if (state.step < progress.length - 1) state.step += 1;
  else Object.assign(world.projects.get(project.ref), { status: 'ACTIVE_HEALTHY', engine: '17', version: '17.4.1.054' });
  return { databaseUpgradeStatus: answer };
}

// ---- health ----------------------------------------------------------------------

const info = {
  auth: { name: 'GoTrue', version: 'v2.186.0', description: 'GoTrue is a user registration and authentication API' },
  realtime: { healthy: true, db_connected: false, replication_connected: false, connected_cluster: 0 },
  rest: { db_schema: 'public, graphql_public' },
};

function health({ world, token, params, query }) {
  const project = world.poll(world.project(token, params.ref));
  if (['INACTIVE', 'PAUSING', 'GOING_DOWN'].includes(project.status)) refuse(400, 'Project is paused');
  const up = project.status === 'ACTIVE_HEALTHY';
  const late = up && project.unseen_pooler > 0 && query.services.includes('pooler');
  if (late) project.unseen_pooler -= 1;
  return query.services.map((name) => {
    if (!up) return { name, healthy: false, status: project.status === 'COMING_UP' ? 'COMING_UP' : 'UNHEALTHY' };
    if (name === 'pooler' && late) return { name, healthy: false, status: 'UNHEALTHY', error: 'not found' };
    return { name, healthy: true, status: 'ACTIVE_HEALTHY', ...(info[name] ? { info: info[name] } : {}) };
  });
}

// ---- organizations ---------------------------------------------------------------

const orgHead = ({ slug, name }) => ({ id: slug, slug, name });

function createOrganization({ world, token, body }) {
  const slug = world.secret(10).replace(/[0-9]/g, (digit) => 'ghijklmnop'[digit]);
  return orgHead(world.addOrganization(slug, body.name, 'free', [[token.user, 'Owner']]));
}

function getOrganization({ world, token, params }) {
  const { slug, name, plan, opt_in_tags, allowed_release_channels } = world.organization(token, params.slug);
  return { id: slug, name, plan, opt_in_tags, allowed_release_channels };
}

function entitlements({ world, token, params, description }) {
  const paid = world.organization(token, params.slug).plan !== 'free';
  const { enum: keys } = description.schema('V1ListEntitlementsResponse').properties.entitlements.items.properties.feature.properties.key;
  return { entitlements: keys.map((key) => ({
    feature: { key, type: 'boolean' }, hasAccess: paid, type: 'boolean', config: { enabled: paid },
  })) };
}

function databasesOf(project) {
  const base = { region: project.region, cloud_provider: project.cloud_provider, disk_volume_size_gb: 8, disk_type: 'gp3', disk_throughput_mbps: 125 };
  return [
    { ...base, infra_compute_size: project.size, status: databaseStatus(project), identifier: project.ref, type: 'PRIMARY' },
    ...project.replicas.map((replica) => ({ ...base, ...replica, infra_compute_size: project.size, type: 'READ_REPLICA' })),
  ];
}

const databaseStatus = ({ status }) => ({ INACTIVE: 'GOING_DOWN', PAUSING: 'GOING_DOWN', UPGRADING: 'COMING_UP', PAUSE_FAILED: 'UNKNOWN', RESTORE_FAILED: 'UNKNOWN' }[status] ?? status);

const orders = { name: (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0), created: (a, b) => (a.inserted_at < b.inserted_at ? -1 : a.inserted_at > b.inserted_at ? 1 : 0) };

function organizationProjects({ world, token, params, query }) {
  const organization = world.organization(token, params.slug);
  const statuses = query.statuses?.split(',');
  if (statuses?.some((status) => !['ACTIVE_HEALTHY', 'INACTIVE'].includes(status))) refuse(400, 'statuses: Invalid option: expected one of "ACTIVE_HEALTHY"|"INACTIVE"');
  const [by, way] = (query.sort ?? 'name_asc').split('_');
  const all = [...world.projects.values()].filter((project) => !project.removed && project.organization === organization.slug
    && world.identity.reaches(token, organization, project.parent ?? project)).map((project) => world.settle(project))
    .filter((project) => (!query.search || project.name.toLowerCase().includes(query.search.toLowerCase()) || project.ref === query.search)
      && (!statuses || statuses.includes(project.status)))
    .map((project) => ({
      ref: project.ref, name: project.name, cloud_provider: project.cloud_provider, region: project.region, is_branch: project.is_branch,
      status: project.status, inserted_at: project.created_at, databases: databasesOf(project),
    })).sort(orders[by]);
  if (way === 'desc') all.reverse();
  const offset = query.offset ?? 0;
  const limit = query.limit ?? 100;
  return { projects: all.slice(offset, offset + limit), pagination: { count: all.length, limit, offset } };
}

function availableRegions({ world, token, query }) {
  world.organization(token, query.organization_slug);
  const specific = Object.entries(regions).map(([code, [name]]) => ({ name, code, type: 'specific', provider: 'AWS', status: code === 'ap-east-1' ? 'capacity' : 'other' }));
  const smart = [['Americas', 'americas'], ['Europe', 'emea'], ['Asia-Pacific', 'apac']].map(([name, code]) => ({ name, code, type: 'smartGroup' }));
  const group = { NA: 'americas', SA: 'americas', EU: 'emea', AF: 'emea' }[query.continent] ?? (query.continent ? 'apac' : 'americas');
  return {
    recommendations: { smartGroup: smart.find(({ code }) => code === group), specific: specific.filter(({ code }) => regions[code][1] === group) },
    all: { smartGroup: smart, specific },
  };
}

// ---- claims ----------------------------------------------------------------------

const claimView = ({ token_alias, expires_at, created_at, created_by }) => ({ token_alias, expires_at, created_at, created_by });

function createClaim({ world, token, params }) {
  const project = world.project(token, params.ref);
  const value = `sbp_claim_${world.secret()}`;
  project.claim_token = {
    token: value, token_alias: `${value.slice(0, 12)}…`, created_at: world.clock.iso(), created_by: token.user.id,
    expires_at: world.clock.iso(world.clock.now() + 86400000),
  };
  return { token: value, ...claimView(project.claim_token) };
}

function claimOf(world, params) {
  const project = [...world.projects.values()].find((one) => one.claim_token?.token === params.token && !one.removed);
  if (!project || Date.parse(project.claim_token.expires_at) < world.clock.now()) refuse(404, 'Claim token not found');
  return project;
}

function previewClaim({ world, token, params }) {
  const organization = world.organization(token, params.slug);
  const project = claimOf(world, params);
  return {
    project: { ref: project.ref, name: project.name },
    preview: {
      valid: true, warnings: [], errors: [], info: [{ key: 'region', message: `The project stays in ${project.region}` }],
      members_exceeding_free_project_limit: [], source_subscription_plan: world.organizationOf(project).plan, target_subscription_plan: organization.plan,
    },
    expires_at: project.claim_token.expires_at, created_at: project.claim_token.created_at, created_by: project.claim_token.created_by,
  };
}

function claim({ world, token, params }) {
  const organization = world.organization(token, params.slug);
  const project = claimOf(world, params);
  project.organization = organization.slug;
  project.claim_token = null;
}

export const projects = {
  'v1-list-all-projects': listProjects, 'v1-get-project': getProject, 'v1-create-a-project': createProject,
  'v1-update-a-project': updateProject, 'v1-delete-a-project': deleteProject,
  'v1-pause-a-project': pause, 'v1-restore-a-project': restore, 'v1-cancel-a-project-restoration': cancelRestore,
  'v1-list-available-restore-versions': restoreVersions, 'v1-get-postgres-upgrade-eligibility': eligibility,
  'v1-upgrade-postgres-version': upgrade, 'v1-get-postgres-upgrade-status': upgradeStatus, 'v1-get-services-health': health,
  'v1-list-all-organizations': ({ world, token }) => world.organizationsOf(token).map(orgHead),
  'v1-create-an-organization': createOrganization, 'v1-get-an-organization': getOrganization,
  'v1-list-organization-members': ({ world, token, params }) => world.organization(token, params.slug).members,
  'v1-get-organization-entitlements': entitlements, 'v1-get-all-projects-for-organization': organizationProjects,
  'v1-get-available-regions': availableRegions,
  'v1-get-profile': ({ token }) => ({ gotrue_id: token.user.id, primary_email: token.user.email, username: token.user.name }),
  'v1-get-project-claim-token': ({ world, token, params }) => {
    const { claim_token } = world.project(token, params.ref);
    return claim_token ? claimView(claim_token) : refuse(404, 'Claim token not found');
  },
  'v1-create-project-claim-token': createClaim,
  'v1-delete-project-claim-token': ({ world, token, params }) => { world.project(token, params.ref).claim_token = null; },
  'v1-get-organization-project-claim': previewClaim, 'v1-claim-project-for-organization': claim,
};
