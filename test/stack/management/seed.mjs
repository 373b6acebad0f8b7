// The state a stack starts with, and what `/_sim/reset` goes back to.
import { refOf, uuidOf, sha256 } from './world.mjs';
import { addBranch, addRun, saveFunction } from './handlers/services.mjs';
import { secretsOf } from './handlers/secrets.mjs';

export function seed(simulator, { organizations = 2, projects = 3 } = {}) {
  const { world, identity, settings, oauth } = simulator;
  const ada = identity.addUser('ada', 'ada@example.com', uuidOf('user ada'));
  const bob = identity.addUser('bob', 'bob@example.com', uuidOf('user bob'));
  const names = [['acme', 'Acme Inc.', 'pro'], ['hobby', 'Hobby', 'free']];
  for (let i = 0; i < organizations; i += 1) {
    const [slug, name, plan] = names[i] ?? [`org-${i + 1}`, `Organization ${i + 1}`, 'pro'];
    world.addOrganization(slug, name, plan, i === 0 ? [[ada, 'Owner'], [bob, 'Developer']] : [[ada, 'Owner']]);
  }
  // of somebody else: in no list of ada's
  world.addOrganization('elsewhere', 'Elsewhere', 'pro', [[bob, 'Owner']]);
  world.addProject({ ref: refOf('elsewhere/hidden'), name: 'hidden', organization: 'elsewhere' });
  seedProjects(world, organizations, projects);
  identity.addPersonal(ada, settings.token);
  const app = oauth.addApp({
    name: 'supabase_fdw', client_id: settings.oauth.client_id, client_secret: settings.oauth.client_secret, redirect_uris: [settings.oauth.redirect_uri],
    scopes: [...new Set(simulator.description.operations.map(({ scope }) => scope).filter(Boolean))],
  });
  app.first = true;
  fill(simulator, ada, bob);
}

const firstProjects = [
  { name: 'shop', organization: 'acme', region: 'eu-central-1' },
  { name: 'warehouse', organization: 'acme', region: 'us-east-1', status: 'INACTIVE' },
  { name: 'blog', organization: 'hobby', region: 'eu-west-1', size: 'nano' },
];

function seedProjects(world, organizations, projects) {
  const slugs = [...world.organizations.keys()].slice(0, organizations);
  if (slugs.length === 0) return;
  for (let i = 0; i < projects; i += 1) {
    const fields = firstProjects[i] ?? { name: `project-${i + 1}`, organization: slugs[i % slugs.length] };
    if (!slugs.includes(fields.organization)) fields.organization = slugs[0];
    const created_at = new Date(Date.UTC(2025, 2, 1, 12, i % 60, 0) + i * 3600000).toISOString();
    world.addProject({ ...fields, ref: refOf(`${fields.organization}/${fields.name}`), created_at });
  }
}

// the first project has something of everything
function fill({ world, clock }, ada, bob) {
  const shop = world.projects.get(refOf('acme/shop'));
  if (!shop) return;
  const now = clock.iso();
  const day = 86400000;
  for (const name of ['STRIPE_KEY', 'MAIL_TOKEN']) secretsOf(world, shop).push({ name, digest: sha256(`value of ${name}`), updated_at: now });
  const source = Buffer.from('Deno.serve(() => new Response("hello"))\n');
  saveFunction(world, shop, 'hello', { name: 'hello', entrypoint_path: 'index.ts', ezbr_sha256: sha256(source),
    files: [{ filename: 'index.ts', content_type: 'application/typescript', data: source }] });
  addBranch(world, shop, { branch_name: 'main', is_default: true, persistent: true }).branch.status = 'FUNCTIONS_DEPLOYED';
  const dev = addBranch(world, shop, { branch_name: 'develop', git_branch: 'develop' }, { ref: refOf('acme/shop/develop') });
  dev.branch.status = 'FUNCTIONS_DEPLOYED';
  addRun(world, shop, dev.ref);
  shop.hostname = { name: 'api.shop.example.com', step: 1 };
  shop.upgrade = { tracking_id: uuidOf('upgrade of shop'), initiated_at: now, step: 10, target_version: 17 };
  world.items(shop, 'addons', () => [{ type: 'compute_instance', id: 'ci_micro' }, { type: 'custom_domain', id: 'cd_default' }, { type: 'pitr', id: 'pitr_7' }]);
  world.items(shop, 'bans').push({ banned_address: '203.0.113.7', identifier: shop.ref, type: 'primary' });
  world.items(shop, 'sso').push({ id: uuidOf('sso of shop'), saml: { id: uuidOf('saml of shop'), entity_id: 'https://idp.example.com/', metadata_url: 'https://idp.example.com/metadata' },
    domains: [{ id: uuidOf('domain of shop'), domain: 'shop.example.com', created_at: now, updated_at: now }], created_at: now, updated_at: now });
  world.items(shop, 'tpa').push({ id: uuidOf('tpa of shop'), type: 'oidc', oidc_issuer_url: 'https://login.example.com', jwks_url: null, custom_jwks: null,
    resolved_jwks: null, inserted_at: now, updated_at: now, resolved_at: null });
  world.items(shop, 'jit').push({ user_id: ada.id, user_roles: [{ role: 'postgres', expires_at: Math.floor((clock.now() + day) / 1000) }] },
    { user_id: bob.id, user_roles: [{ role: 'supabase_read_only_user' }] });
  world.items(shop, 'migrations').push({ version: '20250301120000', name: 'first', statements: ['select 1'], rollback: ['select 2'], created_by: ada.email, idempotency_key: 'first' });
  world.items(shop, 'restore_points').push({ name: 'before-sale', status: 'AVAILABLE', completed_on: now });
  shop.replicas.push({ region: 'eu-west-1', identifier: `${shop.ref}-rr-eu-west-1-abcde`, status: 'ACTIVE_HEALTHY' });
  shop.claim_token = { token: `sbp_claim_${sha256('claim').slice(0, 40)}`, token_alias: 'sbp_claim_ab…', created_at: now, created_by: ada.id, expires_at: clock.iso(clock.now() + day) };
  for (let i = 1; i <= 12; i += 1) {
    world.snippets.push({
      number: i, id: uuidOf(`snippet ${i}`), inserted_at: new Date(Date.UTC(2025, 2, i)).toISOString(), updated_at: now, type: 'sql', visibility: 'user', name: `query ${i}`,
      description: null, project: { id: shop.number, name: shop.name }, owner: { id: 1, username: 'ada' }, updated_by: { id: 1, username: 'ada' }, favorite: i === 1,
      content: { schema_version: '1', favorite: i === 1, sql: `select ${i};` },
    });
  }
}
