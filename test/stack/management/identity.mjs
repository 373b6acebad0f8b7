// Who asks: personal tokens, scoped personal tokens, tokens of OAuth apps.
import crypto from 'node:crypto';
import { refuse } from './errors.mjs';

export const hex = (bytes) => crypto.randomBytes(bytes).toString('hex');
const privileges = 'Your account does not have the necessary privileges to access this endpoint. '
  + 'For more details, refer to our documentation https://supabase.com/docs/guides/platform/access-control';

export class Identity {
  constructor(clock) {
    this.clock = clock;
    this.tokens = new Map();
    this.users = new Map();
  }

  addUser(name, email, id) {
    this.users.set(name, { name, email, id });
    return this.users.get(name);
  }

  addPersonal(user, value = `sbp_${hex(20)}`) {
    this.tokens.set(value, { kind: 'personal', user });
    return value;
  }

  // limited to permissions, and to organizations or projects when these are given
  addScoped(user, { permissions, organizations = null, projects = null, explain = true }) {
    const value = `sbp_fc${hex(19)}`;
    this.tokens.set(value, { kind: 'scoped', user, permissions: new Set(permissions), organizations, projects, explain });
    return value;
  }

  // who a request is from; null when nobody is named
  who(authorization) {
    if (authorization === undefined) return null;
    const [, value] = /^Bearer +(\S+)$/i.exec(authorization) ?? refuse(401, 'Unauthorized');
    if (!/^sbp_/.test(value)) refuse(401, 'JWT could not be decoded');
    const token = this.tokens.get(value);
    if (!token || token.revoked) refuse(401, 'Unauthorized');
    if (token.expires_at !== undefined && token.expires_at <= this.clock.now()) refuse(401, 'Unauthorized');
    return token;
  }

  // whether the token may use the operation at all
  permit(token, op, extra = []) {
    if (token.kind === 'oauth') {
      if (op.scope === null || !token.grant.app.scopes.has(op.scope)) refuse(403, privileges);
      return;
    }
    if (token.kind !== 'scoped') return;
    if (op.permissions.length === 0) refuse(403, privileges);
    const lacking = op.permissions.map((all) => [...all, ...extra].filter((name) => !token.permissions.has(name)));
    if (lacking.some((names) => names.length === 0)) return;
    const missing = lacking.reduce((a, b) => (b.length < a.length ? b : a));
    refuse(403, privileges, token.explain ? { missing_permissions: missing } : {});
  }

  // what the token can see
  reaches(token, organization, project) {
    if (!organization.members.some((member) => member.user_id === token.user.id)) return false;
    if (token.kind === 'oauth') return token.grant.organization === organization.slug;
    if (token.organizations && !token.organizations.includes(organization.slug)) return false;
    return !(token.projects && project && !token.projects.includes(project.ref));
  }

  forbid() { refuse(403, privileges); }

  caller(token, address) {
    if (!token) return `ip:${address}`;
    return token.kind === 'oauth' ? `app:${token.grant.app.client_id}` : `user:${token.user.name}`;
  }
}
