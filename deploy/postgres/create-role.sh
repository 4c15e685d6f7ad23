#!/bin/sh
# Runs once, when the server's volume is new: make the role and the database that GENREGRAPH_DATABASE_URL names. The
# role owns that database and is nothing else; POSTGRES_PASSWORD is that of the superuser.
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
