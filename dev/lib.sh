# Shared by the commands of dev/: sourced, never run.  bash.
#
# SPDX-License-Identifier: PostgreSQL

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# A server's settings in the environment must not lead to another server.
unset PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGPASSWORD PGPASSFILE PGSERVICE \
	PGSERVICEFILE PGOPTIONS PGDATA PGSSLMODE PGTZ PGDATESTYLE PGCLIENTENCODING PSQLRC || true
export LC_ALL=C.UTF-8 PSQLRC=/dev/null

PG_CONFIG=${PG_CONFIG:-pg_config}

# Run as root, or through sudo.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "this needs root or sudo: $*"
	fi
}

# Who runs the private server: PostgreSQL refuses root, so then the system user
# "postgres" of the server's package (PA_SERVER_USER names another one).
server_user()
{
	if [ "$(id -u)" != 0 ]; then
		id -un
	else
		local user=${PA_SERVER_USER:-postgres}
		id "$user" >/dev/null 2>&1 || die "no system user $user to run the server (set PA_SERVER_USER)"
		say "$user"
	fi
}

# Run a command as that user, in a folder that it can read.
as_server()
{
	if [ "$(id -u)" != 0 ]; then
		(cd / && "$@")
	else
		local user
		user=$(server_user)
		(cd / && HOME=/ USER=$user LOGNAME=$user \
			setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups "$@")
	fi
}

bindir() { "$PG_CONFIG" --bindir; }
major() { "$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'; }

# The Python of the tests: one that has numpy and psycopg.
test_python()
{
	local python
	for python in ${PA_PYTHON:-} /usr/bin/python3 python3; do
		if "$python" -c 'import numpy, psycopg' >/dev/null 2>&1; then
			say "$python"
			return
		fi
	done
	return 1
}

# What every command that needs the extension begins with.  $1: make arguments.
build_and_install()
{
	mkdir -p "$root/build/log"
	make -j2 "$@" all >"$root/build/log/build.log" 2>&1 ||
		{ grep -vE '^[^ ]*(gcc|clang|cc)(-[0-9]+)? ' "$root/build/log/build.log" | tail -n 30 >&2; die "the build failed (build/log/build.log)"; }
	as_root make install PG_CONFIG="$PG_CONFIG" >"$root/build/log/install.log" 2>&1 ||
		{ tail -n 10 "$root/build/log/install.log" >&2; die "make install failed (build/log/install.log)"; }
}

# make_venv FOLDER REQUIREMENTS [OTHER]: a Python environment with these packages, and
# those of another one, made anew when the file has changed.  The default build of torch is a download of
# gigabytes; PIP_EXTRA_INDEX_URL can point pip at the index of its CPU builds.
make_venv()
{
	local venv=$1 requirements=$2 other=${3-}
	if [ -e "$venv/done" ] && cmp -s "$requirements" "$venv/done"; then
		return
	fi
	if [ "$(dpkg-query -W -f '${db:Status-Status}' python3-venv 2>/dev/null)" != installed ]; then
		as_root apt-get update -qq
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
	fi
	rm -rf "$venv"
	/usr/bin/python3 -m venv "$venv"
	[ -z "$other" ] || (cd "$other"/lib/python3*/site-packages && pwd) >"$(echo "$venv"/lib/python3*/site-packages)/other.pth"
	"$venv/bin/pip" install -q --no-input -r "$requirements" || return 1
	cp "$requirements" "$venv/done"
}

# known_flags PGXS: a server that a newer compiler has built names flags in its
# makefiles that the one here may not know.
known_flags()
{
	echo 'int one;' | gcc -Wmissing-variable-declarations -fsyntax-only -x c - >/dev/null 2>&1 ||
		sed -i 's/ -Wmissing-variable-declarations//' "$1/src/Makefile.global"
}

# One run at a time for each cluster name in a clone.
only_one()
{
	mkdir -p "$root/build"
	exec 9>"$root/build/$1.lock"
	flock -n 9 || die "another $1 is running in this clone"
}

# copy_tree FOLDER: what git knows of, as it is in this working tree; its build folder stays
copy_tree()
{
	mkdir -p "$1"
	find "$1" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
	git ls-files -z | while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
		xargs -0 cp -a --parents -t "$1"
}
