-- Options of servers of the Management API, of their tables, columns and user mappings.

CREATE SERVER mgmt_o TYPE 'management' FOREIGN DATA WRAPPER supabase_fdw
  OPTIONS (destructive 'false', fanout 'require_qual', connect_timeout '1s', request_timeout '5s', max_retries '0',
           max_response_size '1MB', max_parallel_requests '2', url 'http://127.0.0.1:9');
CREATE FOREIGN TABLE o_projects (ref text, title text OPTIONS (column_name 'name')) SERVER mgmt_o
  OPTIONS (resource 'projects', fanout 'implicit', updatable 'false');

-- bad values
ALTER SERVER mgmt_o OPTIONS (SET fanout 'sometimes');
ALTER SERVER mgmt_o OPTIONS (SET destructive 'perhaps');
ALTER SERVER mgmt_o OPTIONS (SET url 'http://api.example.com');
ALTER FOREIGN TABLE o_projects OPTIONS (SET fanout 'never');
ALTER FOREIGN TABLE o_projects OPTIONS (table_name 'projects');
ALTER FOREIGN TABLE o_projects OPTIONS (rpc 'projects');

-- a secret is a user mapping's; no message repeats it
ALTER SERVER mgmt_o OPTIONS (access_token 'sbp_0123456789abcdef0123456789abcdef01234567');
ALTER FOREIGN TABLE o_projects OPTIONS (access_token 'x');
ALTER SERVER mgmt_o OPTIONS (oauth_grant 'acme');
ALTER FOREIGN TABLE o_projects OPTIONS (SET resource 'sbp_0123456789abcdef0123456789abcdef01234567');
CREATE USER MAPPING FOR CURRENT_USER SERVER mgmt_o OPTIONS (access_token 'with blank');
CREATE USER MAPPING FOR CURRENT_USER SERVER mgmt_o OPTIONS (access_token 'x', oauth_grant 'acme');
CREATE USER MAPPING FOR CURRENT_USER SERVER mgmt_o OPTIONS (access_token_id 'x', access_token_name 'y');
CREATE USER MAPPING FOR CURRENT_USER SERVER mgmt_o OPTIONS (access_token 'x', origin 'http://127.0.0.1:9');
DROP USER MAPPING FOR CURRENT_USER SERVER mgmt_o;

-- what a server of the other type has is found out when it is used
ALTER SERVER mgmt_o OPTIONS (ADD forward_request_jwt 'true');
SELECT supabase_disconnect('mgmt_o') IS NOT NULL AS used;
ALTER SERVER mgmt_o OPTIONS (DROP forward_request_jwt, ADD session_auth 'ignore');
SELECT supabase_disconnect('mgmt_o') IS NOT NULL AS used;
ALTER SERVER mgmt_o OPTIONS (DROP session_auth);
SELECT supabase_disconnect('mgmt_o') IS NOT NULL AS used;
CREATE SERVER project_o FOREIGN DATA WRAPPER supabase_fdw OPTIONS (url 'http://127.0.0.1:9', destructive 'true');
SELECT supabase_disconnect('project_o');
ALTER SERVER project_o OPTIONS (DROP destructive);
CREATE FOREIGN TABLE p_projects (ref text) SERVER project_o OPTIONS (resource 'projects');
SELECT * FROM p_projects;
ALTER FOREIGN TABLE p_projects OPTIONS (DROP resource);
CREATE USER MAPPING FOR CURRENT_USER SERVER project_o OPTIONS (access_token 'x');
SELECT * FROM p_projects;
ALTER USER MAPPING FOR CURRENT_USER SERVER project_o OPTIONS (DROP access_token, ADD oauth_grant 'acme');
SELECT * FROM p_projects;

-- functions of projects; a request to the Management API needs a credential
SELECT supabase_rpc('mgmt_o', 'f');
SELECT supabase_request('mgmt_o', 'GET', '/');
SELECT supabase_set_auth('x', 'mgmt_o');
SELECT supabase_sign_in('mgmt_o', 'a@example.com', 'x');
SELECT * FROM supabase_check_schema('mgmt_o', 'public');

DROP FOREIGN TABLE o_projects, p_projects;
DROP SERVER mgmt_o, project_o CASCADE;
