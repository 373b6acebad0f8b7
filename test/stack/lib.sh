# shellcheck shell=bash disable=SC2154
# Shared by the parts: messages, users, processes, waiting. Sourced, not run.
# Everything here expects DIR, the directory of one stack.

say() { printf 'stack: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

server_user=${STACK_USER:-postgres} # only looked at when root starts the stack

# PostgreSQL refuses to run as root, and nothing else here needs to
as_server() {
  if [ "$(id -u)" = 0 ]; then
    setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --init-groups -- \
      env HOME="$DIR/home" "$@"
  else
    env HOME="$DIR/home" "$@"
  fi
}

# A directory the servers may write. Never recursive: hard links to files of the
# system or of the checkout lie below DIR, and their owner must not change.
server_dir() {
  mkdir -p "$@"
  [ "$(id -u)" != 0 ] || chown "$server_user:" "$@"
}

# Hard links where the file system allows it: the servers' user may not be able to
# read where the originals are.
link_tree() {
  local from=$1 to=$2
  mkdir -p "$to"
  cp -al --no-clobber "$from/." "$to/" 2>/dev/null || cp -a --no-clobber "$from/." "$to/"
}

# Written next to the pid, so that a later process with the same number is left alone.
# Nothing for a zombie: whoever has to reap it may take its time.
started_at() { sed -n 's/.*) \([^Z]\)/\1/p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# launch NAME COMMAND…: in the background, in a session of its own, with a log and a
# pid file. The descriptors above 2 are closed: a server that inherits the pipe of
# a caller keeps that caller waiting for ever.
launch() {
  local name=$1
  shift
  server_dir "$DIR/log" "$DIR/pid"
  (
    cd "$DIR" || exit
    exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    if [ "$(id -u)" = 0 ]; then
      exec setsid setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --init-groups -- \
        env HOME="$DIR/home" "$@"
    fi
    exec setsid env HOME="$DIR/home" "$@"
  ) </dev/null >>"$DIR/log/$name.log" 2>&1 &
  local pid=$!
  printf '%s %s\n' "$pid" "$(started_at "$pid")" >"$DIR/pid/$name"
}

running() {
  local pid start
  [ -r "$DIR/pid/$1" ] && read -r pid start <"$DIR/pid/$1" || return 1
  [ -n "$start" ] && [ "$(started_at "$pid")" = "$start" ]
}

# wait_for NAME SECONDS TEST…: until TEST succeeds; gives up when the process is gone
wait_for() {
  local name=$1 rounds=$(($2 * 20))
  shift 2
  while [ "$rounds" -gt 0 ]; do
    "$@" >/dev/null 2>&1 && return
    running "$name" || break
    sleep 0.05
    rounds=$((rounds - 1))
  done
  say "$name did not become ready; the end of its log:"
  tail -n 20 "$DIR/log/$name.log" >&2 || true
  return 1
}

# terminate NAME SIGNAL: asks, waits up to ten seconds, then ends the whole session
terminate() {
  local name=$1 signal=$2 pid rounds=200
  if running "$name"; then
    read -r pid _ <"$DIR/pid/$name"
    kill "-$signal" "$pid" 2>/dev/null || true
    while running "$name" && [ "$rounds" -gt 0 ]; do
      sleep 0.05
      rounds=$((rounds - 1))
    done
    if running "$name"; then
      say "$name does not stop, killing it"
      kill -KILL -- "-$pid" 2>/dev/null || true
    fi
  fi
  rm -f "$DIR/pid/$name"
}

# free_ports N: N ports of 127.0.0.1 nobody listens on. From below the range the
# kernel gives to outgoing connections; all are bound at once, so they differ.
free_ports() {
  "$NODE" -e '
    const net = require("net"), want = Number(process.argv[1]), held = [];
    const next = () => {
      if (held.length === want) {
        console.log(held.map((s) => s.address().port).join(" "));
        held.forEach((s) => s.close());
        return;
      }
      const server = net.createServer();
      server.on("error", next);
      server.listen(15000 + Math.floor(Math.random() * 17000), "127.0.0.1", () => { held.push(server); next(); });
    };
    next();' "$1"
}

# The environment of a stack: one file of `export K='V'` lines
put_env() {
  local value=${2//\'/\'\\\'\'}
  printf "export %s='%s'\n" "$1" "$value" >>"$DIR/env"
}
