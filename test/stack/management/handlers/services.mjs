// What hangs on a project beside its configuration: branches, functions, hostnames, add-ons, SSO, bans, runs.
import { refuse } from '../errors.mjs';
import { sha256, uuidOf } from '../world.mjs';
import { hostOf } from './projects.mjs';
import { writeMultipart } from '../multipart.mjs';

const ok = () => ({ message: 'ok' });
const own = (handler, ready = false) => (context) => {
  const project = context.world.project(context.token, context.params.ref);
  if (ready) context.world.ready(project);
  return handler({ ...context, project });
};

// ---- branches --------------------------------------------------------------------

function branchView(project) {
  const { branch } = project;
  const { polls, ...fields } = branch;
  return { ...fields, project_ref: project.ref, parent_project_ref: (project.parent ?? project).ref, preview_project_status: project.status };
}

export function addBranch(world, parent, fields, extra = {}) {
  const now = world.clock.iso();
  const project = fields.is_default ? parent : world.addProject({
    name: fields.branch_name, organization: parent.organization, region: fields.region ?? parent.region, is_branch: true, parent,
    engine: fields.postgres_engine ?? parent.engine, channel: fields.release_channel ?? parent.channel, size: fields.desired_instance_size ?? 'micro', ...extra,
  });
  parent.branching = true;
  project.branch = {
    id: uuidOf(`${project.ref} branch`), name: fields.branch_name, is_default: fields.is_default ?? false, persistent: fields.persistent ?? false,
    status: 'CREATING_PROJECT', created_at: now, updated_at: now, with_data: fields.with_data ?? false,
    ...(fields.git_branch ? { git_branch: fields.git_branch } : {}), ...(fields.notify_url ? { notify_url: fields.notify_url } : {}),
  };
  return project;
}

function createBranch({ world, project, body }) {
  if (world.settings.plan.gates && world.organizationOf(project).plan === 'free') refuse(402, 'Branching is supported only on the Pro plan or above');
  const all = world.branchesOf(project);
  if (all.some(({ branch }) => branch.name === body.branch_name)) refuse(409, `Branch with name ${body.branch_name} already exists`);
  if (!body.is_default && !project.branch) addBranch(world, project, { branch_name: 'main', is_default: true, persistent: true }).branch.status = 'FUNCTIONS_DEPLOYED';
  const made = addBranch(world, project, body);
  if (made.is_branch) {
    world.move(made, 'COMING_UP', 'ACTIVE_HEALTHY', { done: () => { made.branch.status = 'FUNCTIONS_DEPLOYED'; } });
    addRun(world, project, made.ref);
  }
  return branchView(made);
}

function listBranches({ world, project }) {
  if (!project.branching && world.settings.absence.branches !== 200) refuse(world.settings.absence.branches, 'Preview branching is not enabled for this project.');
  return world.branchesOf(project).map((one) => branchView(world.poll(one)));
}

function branchConfig({ world, branch: project }) {
  world.poll(project);
  return {
    ref: project.ref, postgres_version: project.version, postgres_engine: project.engine, release_channel: project.channel, status: project.status,
    db_host: hostOf(project), db_port: 5432, db_user: 'postgres', db_pass: sha256(`password of ${project.ref}`).slice(0, 24), jwt_secret: world.keys.jwt_secret,
  };
}

function updateBranch({ world, branch: project, body }) {
  const { branch_name, request_review, reset_on_push, ...fields } = body;
  Object.assign(project.branch, fields, branch_name ? { name: branch_name } : {}, { updated_at: world.clock.iso() });
  if (request_review) project.branch.review_requested_at = world.clock.iso();
  return branchView(project);
}

function deleteBranch({ world, branch: project, query }) {
  if (project.branch.persistent || project.branch.is_default) refuse(422, 'Persistent branches cannot be deleted. Make the branch non-persistent first.');
  if (query.force === false) project.branch.deletion_scheduled_at = world.clock.iso(world.clock.now() + 3600000);
  else project.removed = true;
  return ok();
}

function restoreBranch({ branch: project }) {
  if (!project.branch.deletion_scheduled_at) refuse(422, 'Branch is not scheduled for deletion');
  delete project.branch.deletion_scheduled_at;
  return { message: 'Branch restoration initiated' };
}

function disableBranching({ world, project }) {
  for (const one of world.branchesOf(project)) {
    if (one.is_branch) one.removed = true;
    else delete one.branch;
  }
  project.branching = false;
}

// push, merge and reset are runs that end after some looks at them
function act({ world, branch: project }) {
  project.branch.status = 'RUNNING_MIGRATIONS';
  project.branch.updated_at = world.clock.iso();
  const run = addRun(world, project.parent ?? project, project.ref);
  run.done = () => { project.branch.status = 'FUNCTIONS_DEPLOYED'; };
  return { workflow_run_id: run.id, message: 'ok' };
}

const onBranch = (handler) => (context) => handler({ ...context, branch: context.world.branch(context.token, context.params.branch_id_or_ref) });

// ---- runs ------------------------------------------------------------------------

const steps = ['clone', 'pull', 'health', 'configure', 'migrate', 'seed', 'deploy'];
const runsOf = (world, project) => world.items(project, 'runs');

export function addRun(world, project, branchRef) {
  const now = world.clock.iso();
  const run = {
    id: world.uuid(), branch_id: uuidOf(`${branchRef} branch`), git_config: null, workdir: null, check_run_id: null, created_at: now, updated_at: now,
    run_steps: steps.map((name) => ({ name, status: 'CREATED', created_at: now, updated_at: now })),
  };
  runsOf(world, project).unshift(run);
  return run;
}

const runView = ({ done, ...run }) => run;
const findRun = (world, project, id) => runsOf(world, project).find((run) => run.id === id) ?? refuse(404, 'Action run not found');

// each look lets the next step end
function getRun({ world, project, params }) {
  const run = findRun(world, project, params.run_id);
  const shown = structuredClone(runView(run));
  const at = run.run_steps.findIndex(({ status }) => status !== 'EXITED');
  if (at >= 0) Object.assign(run.run_steps[at], { status: 'EXITED', updated_at: world.clock.iso() });
  else run.done?.();
  return shown;
}

function listRuns({ world, project, query }) {
  const offset = query.offset ?? 0;
  return runsOf(world, project).slice(offset, offset + (query.limit ?? 20)).map(runView);
}

function updateRun({ world, project, params, body }) {
  const run = findRun(world, project, params.run_id);
  for (const step of run.run_steps) if (body[step.name]) Object.assign(step, { status: body[step.name], updated_at: world.clock.iso() });
  return ok();
}

const text = (body) => ({ answer: { body, headers: { 'Content-Type': 'text/plain; charset=utf-8' } } });

// ---- functions -------------------------------------------------------------------

export const functionsOf = (world, project) => world.items(project, 'functions');
const functionView = ({ files, ...fields }) => fields;
const findFunction = (world, project, slug) => functionsOf(world, project).find((one) => one.slug === slug) ?? refuse(404, 'Function not found');

export function saveFunction(world, project, slug, fields) {
  const list = functionsOf(world, project);
  const now = world.clock.now();
  const { plan } = world.organizationOf(project);
  let one = list.find((other) => other.slug === slug);
  if (!one) {
    if (world.settings.plan.gates && list.length >= (plan === 'free' ? 100 : 500)) refuse(402, 'Maximum number of functions reached for your plan');
    one = { id: world.uuid(), slug, name: slug, status: 'ACTIVE', version: 0, created_at: now, verify_jwt: true, import_map: false, files: [] };
    list.push(one);
  }
  const known = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  Object.assign(one, known, { version: fields.version ?? one.version + 1, updated_at: now });
  return one;
}

function deployFunction({ world, project, body, query, parts }) {
  const { metadata = {} } = body;
  const slug = query.slug ?? metadata.name ?? refuse(400, 'slug: Invalid input: expected string, received undefined');
  const files = (parts ?? []).filter((part) => part.name === 'file');
  if (files.length === 0) refuse(400, 'file: at least one file is required');
  if (!files.some(({ filename }) => filename === metadata.entrypoint_path)) refuse(400, 'Entrypoint path does not exist');
  const fields = {
    name: metadata.name ?? slug, verify_jwt: metadata.verify_jwt ?? true, entrypoint_path: metadata.entrypoint_path,
    import_map_path: metadata.import_map_path, import_map: metadata.import_map_path !== undefined,
    files: files.map(({ filename, content_type, data }) => ({ filename, content_type, data })),
    ezbr_sha256: sha256(Buffer.concat(files.map(({ data }) => data))),
  };
  if (query.bundleOnly) return { id: world.uuid(), slug, status: 'ACTIVE', version: 1, name: fields.name };
  return functionView(saveFunction(world, project, slug, fields));
}

function createFunction({ world, project, body, query, bytes, request }) {
  const json = (request.headers['content-type'] ?? '').startsWith('application/json');
  const fields = json ? body : { ...query };
  const slug = fields.slug ?? refuse(400, 'slug: Invalid input: expected string, received undefined');
  if (functionsOf(world, project).some((one) => one.slug === slug)) refuse(409, `Function ${slug} already exists`);
  const data = Buffer.from(json ? body.body : bytes);
  return functionView(saveFunction(world, project, slug, { name: fields.name ?? slug, verify_jwt: fields.verify_jwt, entrypoint_path: fields.entrypoint_path,
    import_map_path: fields.import_map_path, import_map: fields.import_map, files: [{ filename: 'index.ts', content_type: 'application/typescript', data }], ezbr_sha256: sha256(data) }));
}

function updateFunction({ world, project, params, body, query, bytes, request }) {
  const one = findFunction(world, project, params.function_slug);
  const json = (request.headers['content-type'] ?? '').startsWith('application/json');
  const { body: source, ...fields } = json ? body : query;
  const data = json ? (source === undefined ? undefined : Buffer.from(source)) : bytes;
  const files = data ? { files: [{ filename: one.entrypoint_path ?? 'index.ts', content_type: 'application/typescript', data }], ezbr_sha256: sha256(data) } : {};
  return functionView(saveFunction(world, project, one.slug, { ...fields, slug: one.slug, ...files }));
}

function bulkFunctions({ world, project, body }) {
  return { functions: body.map(({ id, ...fields }) => functionView(saveFunction(world, project, fields.slug, fields))) };
}

function functionBody({ world, project, params, request }) {
  const one = findFunction(world, project, params.function_slug);
  if (!(request.headers.accept ?? '').includes('multipart/form-data')) {
    return { answer: { body: Buffer.concat([Buffer.from('ESZIP2.3'), ...one.files.map(({ data }) => data)]), headers: { 'Content-Type': 'application/octet-stream' } } };
  }
  const boundary = `formdata-${one.id}`;
  const metadata = { name: 'metadata', content_type: 'application/json', data: JSON.stringify({ deno2_entrypoint_path: one.entrypoint_path }) };
  const files = one.files.map((file) => ({ ...file, name: 'file', content_type: file.content_type ?? 'application/typescript' }));
  return { answer: { body: writeMultipart([metadata, ...files], boundary), headers: { 'Content-Type': `multipart/form-data; boundary=${boundary}` } } };
}

function drop(list, item) { list.splice(list.indexOf(item), 1); }

export const services = {
  'v1-list-all-branches': own(listBranches), 'v1-create-a-branch': own(createBranch), 'v1-disable-preview-branching': own(disableBranching),
  'v1-get-a-branch': own(({ world, project, params }) => branchView(world.branchesOf(project).find(({ branch }) => branch.name === params.name) ?? refuse(404, 'Branch not found'))),
  'v1-get-a-branch-config': onBranch(branchConfig), 'v1-update-a-branch-config': onBranch(updateBranch), 'v1-delete-a-branch': onBranch(deleteBranch),
  'v1-push-a-branch': onBranch(act), 'v1-merge-a-branch': onBranch(act), 'v1-reset-a-branch': onBranch(act), 'v1-restore-a-branch': onBranch(restoreBranch),
  'v1-diff-a-branch': onBranch(({ branch }) => text(`-- changes of ${branch.branch.name}\ncreate table if not exists public.from_branch (id bigint primary key);\n`)),
  'v1-list-action-runs': own(listRuns), 'v1-get-action-run': own(getRun), 'v1-update-action-run-status': own(updateRun),
  'v1-count-action-runs': own(({ world, project }) => ({ answer: { headers: { 'X-Total-Count': String(runsOf(world, project).length) } } })),
  'v1-get-action-run-logs': own(({ world, project, params }) => text(findRun(world, project, params.run_id).run_steps.map(({ name, status }) => `${name}: ${status}\n`).join(''))),
  'v1-list-all-functions': own(({ world, project }) => functionsOf(world, project).map(functionView)),
  'v1-create-a-function': own(createFunction), 'v1-bulk-update-functions': own(bulkFunctions), 'v1-deploy-a-function': own(deployFunction),
  'v1-get-a-function': own(({ world, project, params }) => functionView(findFunction(world, project, params.function_slug))),
  'v1-update-a-function': own(updateFunction), 'v1-get-a-function-body': own(functionBody),
  'v1-delete-a-function': own(({ world, project, params }) => { drop(functionsOf(world, project), findFunction(world, project, params.function_slug)); return ok(); }),
};
