// The page on which a user lets an app in. Its form goes to /oauth/consent with the parameters it was opened with.
const escape = (text) => String(text ?? '').replace(/[&<>"']/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }[c]));

const style = `body{font:16px/1.5 system-ui,sans-serif;background:#f4f6f5;color:#1c2321;margin:0}
main{max-width:30rem;margin:4rem auto;background:#fff;border:1px solid #dde3e0;border-radius:12px;padding:2rem;box-shadow:0 2px 12px #0001}
h1{font-size:1.3rem;margin:0 0 1rem}ul{padding-left:1.2rem}code{background:#eef2f0;border-radius:4px;padding:.1rem .3rem}
label{display:block;font-weight:600;margin:1rem 0 .3rem}select{width:100%;font:inherit;padding:.5rem;border-radius:8px;border:1px solid #bcc7c2}
.buttons{display:flex;gap:.8rem;margin-top:1.5rem}button{flex:1;font:inherit;font-weight:600;padding:.6rem;border-radius:8px;border:1px solid #bcc7c2;background:#fff;cursor:pointer}
button.go{background:#1f8a5b;border-color:#1f8a5b;color:#fff}.small{color:#5c6964;font-size:.85rem}`;

export function consentPage({ request, user, organizations, project }) {
  const { app } = request;
  const hidden = { client_id: app.client_id, redirect_uri: request.redirect_uri, response_type: 'code', state: request.state,
    code_challenge: request.challenge, code_challenge_method: request.challenge === null ? null : request.method, project_ref: request.project_ref };
  const inputs = Object.entries(hidden).filter(([, value]) => value !== null)
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${escape(value)}">`).join('\n');
  const options = organizations.map(({ slug, name }) => `<option value="${escape(slug)}"${slug === request.organization_slug ? ' selected' : ''}>${escape(name)}</option>`).join('');
  const what = project ? `take over the project <b>${escape(project.name)}</b>` : 'access your organization';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Authorize ${escape(app.name)}</title><style>${style}</style></head>
<body><main>
<h1><b>${escape(app.name)}</b> wants to ${what}</h1>
<p class="small">Signed in as ${escape(user.email)}. After this you go to <code>${escape(new URL(request.redirect_uri).host)}</code>.</p>
<form method="post" action="/oauth/consent">
${inputs}
<label for="organization">Organization</label><select id="organization" name="organization_slug">${options}</select>
<label>It will be able to use</label><ul>${[...app.scopes].sort().map((scope) => `<li><code>${escape(scope)}</code></li>`).join('')}</ul>
<div class="buttons"><button class="go" name="decision" value="authorize">Authorize ${escape(app.name)}</button><button name="decision" value="deny">Deny</button></div>
</form></main></body></html>
`;
}
