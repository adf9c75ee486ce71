# Fresh Debian roots, for the commands that try peftarith on another system than
# this one: sourced by them after lib.sh, never run.  bash, as root.
#
# SPDX-License-Identifier: PostgreSQL

# The archive that this machine's apt uses.
mirror()
{
	cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
		sed -nE 's/^(deb|URIs:)( \[[^]]*\])? +([a-z+]*:[^ ]*debian\/?)( .*)?$/\3/p' | grep -v security | head -n 1
}

# make_root FOLDER SUITE SCRIPT FROM PACKAGE...: a root of that suite (SCRIPT is debootstrap's name
# for it), with these packages; if FROM is not "main" it is another suite, from which those come
# that are written PACKAGE/FROM
make_root()
{
	local folder=$1 suite=$2 script=$3 from=$4 file
	shift 4
	[ ! -e "$folder/done" ] || return 0
	remove_root "$folder"
	mkdir -p "$folder"
	command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >/dev/null || return 1
	debootstrap --variant=minbase "$suite" "$folder" "$(mirror)" "$script" || return 1
	# What this machine's apt was told, to reach the archive; not what its packages
	# brought, which dpkg would ask about in the root.
	for file in /etc/apt/apt.conf.d/*; do
		case $file in */docker-*) continue ;; esac
		dpkg -S "$file" >/dev/null 2>&1 || cp "$file" "$folder/etc/apt/apt.conf.d/"
	done
	# (a root may be made again: nothing is worth an fsync)
	say force-unsafe-io >"$folder/etc/dpkg/dpkg.cfg.d/peftarith"
	[ "$from" = main ] || say "deb $(mirror) $from main" >"$folder/etc/apt/sources.list.d/$from.list"
	mkdir -p "$folder/etc/postgresql-common/createcluster.d"
	say "create_main_cluster = false" >"$folder/etc/postgresql-common/createcluster.d/peftarith.conf"
	# (packages' scripts look for /proc)
	enter_root "$folder"
	chroot "$folder" apt-get update -qq &&
		chroot "$folder" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null &&
		leave_root "$folder" &&
		touch "$folder/done"
}

enter_root()
{
	mountpoint -q "$1/proc" || mount -t proc proc "$1/proc"
	mountpoint -q "$1/dev" || mount --bind /dev "$1/dev"
	mountpoint -q "$1/dev/pts" || mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$1/dev/pts"
	mountpoint -q "$1/dev/shm" || mount -t tmpfs tmpfs "$1/dev/shm"
}

# processes_in FOLDER: their ids
processes_in()
{
	local process
	for process in /proc/[0-9]*; do
		[ "$(readlink "$process/root")" != "$1" ] || say "${process#/proc/}"
	done
}

# Ends what still runs in it, an interrupted apt or a server, and unmounts what is
# mounted beneath, the last first.
leave_root()
{
	local folder left mount signal
	[ -d "$1" ] || return 0
	folder=$(readlink -f "$1")
	for signal in TERM TERM TERM KILL KILL; do
		left=$(processes_in "$folder")
		[ -n "$left" ] || break
		# shellcheck disable=SC2086  (one word each)
		kill -$signal $left 2>/dev/null || true
		sleep 1
	done
	awk -v folder="$folder/" 'index($5, folder) == 1 { print $5 }' /proc/self/mountinfo | tac |
		while read -r mount; do umount "$mount"; done
}

# remove_root FOLDER: unless something is still mounted in it, which would be deleted too
remove_root()
{
	[ -e "$1" ] || return 0
	leave_root "$1"
	! grep -qF " $(readlink -f "$1")/" /proc/self/mountinfo || die "something is mounted in $1"
	rm -rf --one-file-system "$1"
}

# inside FOLDER COMMAND...: as root in the root, without this shell's environment
inside()
{
	local folder=$1
	shift
	chroot "$folder" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
		${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@"
}

# as_postgres FOLDER COMMAND...: as the user whom the server's package has made
as_postgres()
{
	inside "$1" setpriv --reuid=postgres --regid=postgres --init-groups env -C /tmp "${@:2}"
}

# server FOLDER MAJOR start|stop|restart: a cluster of its own in the root, on a socket alone
server()
{
	local data=/var/lib/postgresql/package bin=/usr/lib/postgresql/$2/bin
	[ -e "$1$data/PG_VERSION" ] || [ "$3" != start ] || as_postgres "$1" "$bin/initdb" -D $data --auth=trust
	as_postgres "$1" "$bin/pg_ctl" -D $data -w -l $data/log -o "-c listen_addresses='' -k /tmp" "$3"
}

psql() { as_postgres "$1" psql -Xq -h /tmp -v ON_ERROR_STOP=1 "${@:2}"; }
