#!/usr/bin/env bash
# Does as the official image does, as far as docker-compose.yaml asks for it.
set -euo pipefail
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    read -ra arguments <<<"${POSTGRES_INITDB_ARGS:-}"
    initdb -U "$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") -A scram-sha-256 "${arguments[@]}"
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    pg_ctl -w start -o "-c listen_addresses= -k /tmp"
    PGPASSWORD="$POSTGRES_PASSWORD" psql -h /tmp -U "$POSTGRES_USER" -d postgres -c "CREATE DATABASE \"$POSTGRES_DB\""
    pg_ctl -w stop
fi
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/tmp
