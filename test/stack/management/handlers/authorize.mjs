// The OAuth endpoints. A browser that comes to /v1/oauth/authorize finds the consent page, as it would after the
// service's redirect to its dashboard.
import { consentPage } from '../consent.mjs';

function authorize({ oauth, world, search, op, settings }) {
  const request = oauth.request(search);
  const claim = op.id === 'v1-oauth-authorize-project-claim';
  const user = world.identity.users.get(settings.browser_user);
  const organizations = [...world.organizations.values()].filter(({ members }) => members.some(({ user_id }) => user_id === user.id));
  const project = claim ? world.projects.get(request.project_ref) : null;
  return { answer: { status: 200, headers: { 'Content-Type': 'text/html; charset=utf-8' }, body: consentPage({ request, user, organizations, project }) } };
}

export const authorization = {
  'v1-authorize-user': authorize, 'v1-oauth-authorize-project-claim': authorize,
  'v1-exchange-oauth-token': ({ oauth, body, request }) => ({ answer: { body: oauth.token(body, request.headers.authorization), headers: { 'Cache-Control': 'no-store' } } }),
  'v1-revoke-token': ({ oauth, body }) => oauth.revokeBy(body),
};
