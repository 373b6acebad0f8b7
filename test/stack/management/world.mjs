// Organizations, projects and what belongs to them: making, finding, and moving through their states.
import crypto from 'node:crypto';
import { refuse } from './errors.mjs';
import { hex } from './identity.mjs';

const digest = (text) => crypto.createHash('sha256').update(text).digest();
// a reference that is the same in every stack, so that a test may know it
export const refOf = (text) => [...digest(text)].slice(0, 20).map((byte) => String.fromCharCode(97 + (byte % 26))).join('');
export const uuidOf = (text) => {
  const h = digest(text).toString('hex');
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-8${h.slice(17, 20)}-${h.slice(20, 32)}`;
};
const randomRef = () => [...crypto.randomBytes(20)].map((byte) => String.fromCharCode(97 + (byte % 26))).join('');

export class World {
  constructor({ description, clock, identity, keys }) {
    Object.assign(this, { description, clock, identity, keys });
    this.organizations = new Map();
    this.projects = new Map(); // also the projects of branches
    this.snippets = [];
    this.settings = {
      // polls or seconds until ACTIVE_HEALTHY; result INIT_FAILED or stuck instead
      provisioning: { initial: 'COMING_UP', polls: 2, seconds: 0, result: 'ACTIVE_HEALTHY', pooler_not_found: 1 },
      absence: { removed: 400, removed_config: 406, hostname: 400, branches: 422, sso: 404, legacy_keys: 200, not_ready: 400 },
      plan: { gates: true },
      extra: false,
      free_projects: 2,
    };
    this.numbers = 1000;
  }

  // ---- making --------------------------------------------------------------------

  addOrganization(slug, name, plan, members) {
    const organization = {
      slug, name, plan, opt_in_tags: [], allowed_release_channels: ['ga', 'preview'], claims: new Map(),
      members: members.map(([user, role]) => ({
        user_id: user.id, user_name: user.name, email: user.email, role_name: role, mfa_enabled: user.name === 'ada',
      })),
    };
    this.organizations.set(slug, organization);
    return organization;
  }

  addProject(fields) {
    const now = this.clock.iso();
    const project = {
      ref: randomRef(), number: ++this.numbers, region: 'us-east-1', status: 'ACTIVE_HEALTHY', created_at: now,
      version: '17.4.1.054', engine: '17', channel: 'ga', size: 'micro', cloud_provider: 'AWS', polled: 0, unseen_pooler: 0,
      is_branch: false, removed: false, docs: new Map(), list: new Map(), branching: false, legacy_keys: true,
      upgrade: null, hostname: null, vanity: null, claim_token: null, read_only: { enabled: false, until: 0 },
      backup_updates: [], replicas: [], ...fields,
    };
    this.projects.set(project.ref, project);
    return project;
  }

  // a document of a project, made when first asked for: there may be hundreds of projects
  doc(project, name, make) {
    if (!project.docs.has(name)) project.docs.set(name, make());
    return project.docs.get(name);
  }

  // a list of things that belong to a project
  items(project, name, make = () => []) {
    if (!project.list.has(name)) project.list.set(name, make());
    return project.list.get(name);
  }

  // ---- finding -------------------------------------------------------------------

  organization(token, slug) {
    const organization = this.organizations.get(slug) ?? refuse(404, 'Organization not found');
    if (!this.identity.reaches(token, organization)) this.identity.forbid();
    return organization;
  }

  organizationsOf(token) {
    return [...this.organizations.values()].filter((organization) => this.identity.reaches(token, organization));
  }

  organizationOf(project) { return this.organizations.get(project.organization); }

  project(token, ref, { config = false } = {}) {
    const project = this.projects.get(ref) ?? refuse(404, 'Project not found');
    if (!this.identity.reaches(token, this.organizationOf(project), project.parent ?? project)) this.identity.forbid();
    const { removed, removed_config } = this.settings.absence;
    if (project.removed) {
      const status = config ? removed_config : removed;
      refuse(status, status === 404 ? 'Project not found' : 'Resource has been removed');
    }
    this.settle(project);
    return project;
  }

  projectsOf(token) {
    return [...this.projects.values()].filter((project) => {
      if (project.removed || project.is_branch) return false;
      return this.identity.reaches(token, this.organizationOf(project), project);
    });
  }

  branch(token, id) {
    for (const project of this.projects.values()) {
      if (!project.is_branch || project.removed) continue;
      if (project.ref === id || project.branch.id === id) {
        this.project(token, project.ref);
        return project;
      }
    }
    // the default branch is the project itself
    const project = this.projects.get(id);
    if (project?.branch && !project.removed) return this.project(token, id);
    return refuse(404, 'Branch not found');
  }

  branchesOf(project) {
    const all = [...this.projects.values()].filter((other) => other.branch && !other.removed
      && (other === project || other.parent === project));
    return all.map((other) => this.settle(other));
  }

  // ---- states --------------------------------------------------------------------

  // `status` until so many polls have seen it or so many virtual seconds are over, then `next`
  move(project, status, next, { polls = this.settings.provisioning.polls, seconds = this.settings.provisioning.seconds, done } = {}) {
    project.status = status;
    project.polled = 0;
    project.pending = { next, polls, at: this.clock.now() + seconds * 1000, done };
  }

  settle(project) {
    const { pending } = project;
    if (!pending || pending.next === 'stuck') return project;
    if (project.polled < pending.polls || this.clock.now() < pending.at) return project;
    project.status = pending.next;
    project.pending = null;
    pending.done?.();
    return project;
  }

  // somebody looked at its status
  poll(project) {
    this.settle(project);
    project.polled += 1;
    return project;
  }

  // a service of a project that is not up does not answer
  ready(project, texts = {}) {
    this.settle(project);
    if (['ACTIVE_HEALTHY', 'ACTIVE_UNHEALTHY', 'UPGRADING', 'RESIZING', 'RESTARTING'].includes(project.status)) return project;
    const status = texts.status ?? this.settings.absence.not_ready;
    return refuse(status, texts.message ?? `Project is not active: its status is ${project.status}`);
  }

  uuid() { return crypto.randomUUID(); }

  secret(bytes = 20) { return hex(bytes); }
}

export const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest('hex');
export const sha256 = (text) => crypto.createHash('sha256').update(text).digest('hex');
