#!/usr/bin/env bash
# Real database servers for the tests, on private ports of 127.0.0.1 and in directories of their own.
#
#   eval "$(test/support/database/servers.sh start)"   starts both, sets TEST_MYSQL_URL and TEST_POSTGRES_URL
#   test/support/database/servers.sh stop              stops what `start` of this shell started
#   test/support/database/servers.sh run KIND DIRECTORY PORT [--encrypted] [OPTION...]
#                                              becomes one server: mysql (MariaDB, too) or postgres
#
# Servers of Debian's packages refuse root, so root runs them as their own users. Written data survives
# the death of a server but not of the machine: nothing here is worth a sync.
set -euo pipefail
export LC_ALL=C

readonly READY_SECONDS=90
# The account of the tests. Its password has what a careless URL or statement stumbles over.
readonly USER_NAME=tracker PASSWORD='p@ss:w/rd?#%25' PASSWORD_IN_URL='p%40ss%3Aw%2Frd%3F%23%2525'

say() { echo "$*" >&2; }

# The first of the programs that there is.
program() {
  local name
  for name in "$@"; do
    if command -v "$name" 2> /dev/null; then return; fi
  done
  say "none of these programs is installed: $* (Debian: apt-get install mariadb-server postgresql)"
  return 1
}

# Becomes a command, as the user that a server of that name wants to be. With DIES_WITH_PARENT it ends
# when its parent process does, for any reason.
as_server_user() {
  local user=$1 with=()
  shift
  if [[ $(id -u) == 0 ]]; then with+=(--reuid="$user" --regid="$user" --clear-groups); fi
  if [[ -n ${DIES_WITH_PARENT:-} ]]; then with+=(--pdeathsig KILL); fi
  if ((${#with[@]} == 0)); then exec "$@"; fi
  exec setpriv "${with[@]}" "$@"
}

# A self-signed certificate, for servers that are to encrypt (option --encrypted of `run`).
certify() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -subj /CN=database.invalid -keyout "$1/key.pem" -out "$1/cert.pem" 2> /dev/null
  chmod 600 "$1/key.pem"
}

own() {
  if [[ $(id -u) == 0 ]]; then chown -R "$1" "$2"; fi
}

run_mysql() {
  local directory=$1 port=$2 server data=$1/data
  shift 2
  if [[ ${1:-} == --encrypted ]]; then
    shift
    set -- --ssl-cert="$directory/cert.pem" --ssl-key="$directory/key.pem" "$@"
  fi
  server=$(program mariadbd mysqld)
  if [[ ! -e $directory/ready ]]; then
    cat > "$directory/init.sql" << SQL
CREATE USER IF NOT EXISTS '$USER_NAME'@'%' IDENTIFIED BY '$PASSWORD';
GRANT ALL ON *.* TO '$USER_NAME'@'%' WITH GRANT OPTION;
SQL
    certify "$directory"
    own mysql "$directory"
    if command -v mariadb-install-db > /dev/null; then
      (as_server_user mysql mariadb-install-db --no-defaults --datadir="$data" \
        --auth-root-authentication-method=normal --skip-test-db) > "$directory/install.log" 2>&1
    else
      (as_server_user mysql "$server" --no-defaults --initialize-insecure --datadir="$data") \
        > "$directory/install.log" 2>&1
    fi
    touch "$directory/ready"
  fi
  as_server_user mysql "$server" --no-defaults --datadir="$data" --bind-address=127.0.0.1 \
    --port="$port" --socket="$directory/mysql.sock" --pid-file="$directory/mysql.pid" \
    --init-file="$directory/init.sql" --skip-log-bin --skip-name-resolve \
    --innodb-flush-log-at-trx-commit=2 --innodb-buffer-pool-size=32M --performance-schema=OFF "$@"
}

run_postgres() {
  local directory=$1 port=$2 data=$1/data
  shift 2
  if [[ ${1:-} == --encrypted ]]; then
    shift
    set -- -c ssl=on -c ssl_cert_file="$directory/cert.pem" -c ssl_key_file="$directory/key.pem" "$@"
  fi
  PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' :)
  if [[ ! -e $directory/ready ]]; then
    echo "$PASSWORD" > "$directory/password"
    certify "$directory"
    own postgres "$directory"
    (as_server_user postgres "$(program initdb)" --pgdata="$data" --username="$USER_NAME" \
      --pwfile="$directory/password" --auth=scram-sha-256 --encoding=UTF8 --no-sync) \
      > "$directory/install.log" 2>&1
    touch "$directory/ready"
  fi
  as_server_user postgres "$(program postgres)" -D "$data" -h 127.0.0.1 -p "$port" -k "$directory" \
    -c fsync=off -c shared_buffers=16MB -c max_connections=60 "$@"
}

run() {
  local kind=$1 directory=$2
  mkdir -p "$directory"
  "run_$@" 2>> "$directory/server.log" >&2 || {
    say "the server $kind did not start, see $directory/install.log and $directory/server.log"
    return 1
  }
}

answers() {
  case $1 in
    mysql) "$(program mariadb-admin mysqladmin)" --no-defaults --host=127.0.0.1 --port="$2" \
      --user="$USER_NAME" --password="$PASSWORD" --connect-timeout=2 --silent ping ;;
    postgres) PATH=$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' :) \
      pg_isready --quiet --host=127.0.0.1 --port="$2" --username="$USER_NAME" --dbname=postgres ;;
  esac > /dev/null 2>&1
}

# The first port from $1 on without a listener.
free_port() {
  local port=$1
  while (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do port=$((port + 1)); done
  echo "$port"
}

start() {
  local place kind url directory port pid kinds=(mysql postgres)
  port=$(shuf -i 20000-32000 -n 1)
  place=$(mktemp -d "${TMPDIR:-/tmp}/tracker-servers.XXXXXX")
  # The servers' users have to get in.
  chmod 711 "$place"
  # shellcheck disable=SC2064
  trap "stop_in '$place'" EXIT
  for kind in "${kinds[@]}"; do
    directory=$place/$kind
    port=$(free_port $((port + 1)))
    mkdir "$directory"
    echo "$port" > "$directory/port"
    setsid "${BASH_SOURCE[0]}" run "$kind" "$directory" "$port" > /dev/null 2>> "$directory/server.log" &
    echo $! > "$directory/pid"
  done
  for kind in "${kinds[@]}"; do
    directory=$place/$kind
    port=$(< "$directory/port") pid=$(< "$directory/pid")
    until answers "$kind" "$port"; do
      if ! kill -0 "$pid" 2> /dev/null || ((SECONDS > READY_SECONDS)); then
        say "the server $kind did not come up within $READY_SECONDS s:"
        tail -n 20 "$directory"/*.log >&2
        return 1
      fi
      sleep 0.2
    done
    url=127.0.0.1:$port/
    case $kind in
      mysql) echo "export TEST_MYSQL_URL='mysql://$USER_NAME:$PASSWORD_IN_URL@$url'" ;;
      postgres) echo "export TEST_POSTGRES_URL='postgresql://$USER_NAME:$PASSWORD_IN_URL@${url}postgres'" ;;
    esac
  done
  echo "export TEST_SERVERS='$place'"
  trap - EXIT
}

stop_in() {
  local place=$1 directory pid
  for directory in "$place"/*/; do
    pid=$(cat "$directory/pid")
    # For both servers QUIT means: end at once.
    kill -QUIT "$pid" 2> /dev/null || continue
    for _ in {1..50}; do
      kill -0 "$pid" 2> /dev/null || continue 2
      sleep 0.1
    done
    kill -KILL "$pid" 2> /dev/null || true
  done
  rm -rf "$place"
}

case ${1:-} in
  start) start ;;
  stop) stop_in "${TEST_SERVERS:?no servers were started from this shell}" ;;
  run) shift && run "$@" ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
