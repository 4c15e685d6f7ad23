#!/bin/sh
# Create the role and the database of GENREGRAPH_DATABASE_URL. Runs once, on a new volume. The role owns the database
# and has no other rights; POSTGRES_PASSWORD is the superuser's.
set -eu
rest=${GENREGRAPH_DATABASE_URL#*://}
role=${rest%%:*}
password=${rest#*:}
password=${password%%@*}
database=${rest##*/}
database=${database%%\?*}
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    --set=role="$role" --set=password="$password" --set=database="$database" << 'SQL'
CREATE ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE :"database" OWNER :"role" ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE :"database" FROM PUBLIC;
SQL
