#!/usr/bin/env bash
# The parts of the official postgres image's entry point that a stack relies on.
set -Eeuo pipefail

die() { printf 'Error: %s\n' "$*" >&2; exit 1; }

# NAME_FILE is the path of a file with the value of NAME; setting both is an error.
file_env() {
  local name=$1 file_name="${1}_FILE" default=${2:-}
  if [[ -n ${!name:-} && -n ${!file_name:-} ]]; then
    die "both $name and $file_name are set (but are exclusive)"
  fi
  local value=$default
  if [[ -n ${!name:-} ]]; then
    value=${!name}
  elif [[ -n ${!file_name:-} ]]; then
    value=$(<"${!file_name}")
  fi
  export "$name=$value"
  unset "$file_name"
}

create_folders() {
  mkdir -p "$PGDATA" /var/run/postgresql
  # Mounts may not allow it; initdb and the server check the mode again.
  chmod 0700 "$PGDATA" || true
  chmod 3775 /var/run/postgresql || true
  if [[ $(id -u) = 0 ]]; then
    find "$PGDATA" ! -user postgres -exec chown postgres '{}' +
    find /var/run/postgresql ! -user postgres -exec chown postgres '{}' +
  fi
}

require_password() {
  if [[ -n $POSTGRES_PASSWORD || $POSTGRES_HOST_AUTH_METHOD = trust ]]; then return 0; fi
  die 'Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the superuser.'
}

# Since 18, the volume is /var/lib/postgresql: a new, empty database must not hide the data of an
# older image in another folder.
refuse_old_data() {
  ((PG_MAJOR >= 18)) || return 0
  local folder
  for folder in /var/lib/postgresql /var/lib/postgresql/data /var/lib/postgresql/*/docker; do
    if [[ -s $folder/PG_VERSION ]]; then
      die "in 18+ the data belongs in a major-specific folder, but there is PostgreSQL data in: $folder"
    fi
  done
  if mountpoint -q /var/lib/postgresql/data; then
    die 'in 18+ mount the volume at /var/lib/postgresql, not at /var/lib/postgresql/data (unused mount/volume)'
  fi
}

initialise() {
  # Debian's socket folder instead of the wheel's. (initdb would overwrite it in the sample file.)
  # Word splitting is intended: the variable contains several arguments.
  # shellcheck disable=SC2086
  initdb -c unix_socket_directories=/var/run/postgresql \
    --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") $POSTGRES_INITDB_ARGS
  local method=$POSTGRES_HOST_AUTH_METHOD
  if [[ -z $method ]]; then method=$(postgres -C password_encryption); fi
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# Listens on no address, so that pg_isready over TCP fails until the real server runs.
temporary_server() {
  case $1 in
    start) NOTIFY_SOCKET='' PGUSER="$POSTGRES_USER" pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start ;;
    stop) PGUSER="$POSTGRES_USER" pg_ctl -D "$PGDATA" -m fast -w stop ;;
  esac
}

run_sql() {
  PGHOST=/var/run/postgresql PGPASSWORD=$POSTGRES_PASSWORD psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password \
    --username "$POSTGRES_USER" "$@"
}

create_database() {
  [[ $POSTGRES_DB != postgres ]] || return 0
  run_sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db" ;'
}

run_init_files() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh)
        printf '%s: running %s\n' "$0" "$file"
        # shellcheck disable=SC1090
        if [[ -x $file ]]; then "$file"; else . "$file"; fi
        ;;
      *.sql) printf '%s: running %s\n' "$0" "$file"; run_sql --dbname "$POSTGRES_DB" -f "$file" ;;
      *.sql.gz) printf '%s: running %s\n' "$0" "$file"; gunzip -c "$file" | run_sql --dbname "$POSTGRES_DB" ;;
      *) [[ ! -e $file ]] || printf '%s: ignoring %s\n' "$0" "$file" ;;
    esac
  done
}

main() {
  if [[ ${1:-} = -* ]]; then set -- postgres "$@"; fi
  local wants_help=
  local arg
  for arg; do
    case $arg in -'?' | --help | --describe-config | -V | --version) wants_help=1 ;; esac
  done
  if [[ ${1:-} != postgres || -n $wants_help ]]; then exec "$@"; fi

  create_folders
  if [[ $(id -u) = 0 ]]; then
    HOME=/var/lib/postgresql exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
  fi
  if [[ -s $PGDATA/PG_VERSION ]]; then
    printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
  else
    file_env POSTGRES_PASSWORD
    file_env POSTGRES_USER postgres
    file_env POSTGRES_DB "$POSTGRES_USER"
    file_env POSTGRES_INITDB_ARGS
    : "${POSTGRES_HOST_AUTH_METHOD:=}"
    require_password
    refuse_old_data
    # Fails before anything is written if the folder is not readable (as in the official image).
    ls /docker-entrypoint-initdb.d/ >/dev/null
    initialise
    temporary_server start
    create_database
    run_init_files
    temporary_server stop
    printf '\nPostgreSQL init process complete; ready for start up.\n\n'
  fi
  exec "$@"
}

main "$@"
