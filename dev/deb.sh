# How dev/package, which sources this, makes Debian's packages and looks at them.
# bash; $place is the folder of the roots.
#
# SPDX-License-Identifier: PostgreSQL

# version_of REVISION: before the release, and later for a later commit
version_of()
{
	local version
	version=$(git show "$1:peftarith.control" | sed -n "s/^default_version *= *'\(.*\)'/\1/p")
	say "$version~$(git rev-list --count "$1").g$(git rev-parse --short=8 "$1")"
}

build_root()
{
	[ -e "$place/build/done" ] || fresh_root build
	enter build
	install build --no-install-recommends dpkg-dev lintian
	inside "$place/build" id builder || inside "$place/build" useradd -m builder
	touch "$place/build/done"
}

# build REVISION FOLDER OPTION...: for every major whose headers are there, by a user without rights
build()
{
	local home=/home/builder/$2 tree=$place/build/home/builder/$2/peftarith
	rm -rf "$place/build$home"
	files "$1" "$tree"
	[ -e "$tree/debian" ] || files "$head" "$tree" debian
	sed -i "1s/(.*) [A-Z]*;/($(version_of "$1")) unstable;/" "$tree/debian/changelog"
	inside "$place/build" env -C "$home/peftarith" apt-get build-dep -y -qq --no-install-recommends ./
	inside "$place/build" chown -R builder: "$home"
	inside "$place/build" setpriv --reuid=builder --regid=builder --init-groups env -C "$home/peftarith" HOME=/home/builder \
		DEB_BUILD_OPTIONS="parallel=2 ${*:3}" dpkg-buildpackage -us -uc 2>&1 | tee "$place/$2.log"
	mkdir -p "$place/debs-$2"
	rm -f "$place/debs-$2"/*
	cp "$place/build$home"/*.deb "$place/debs-$2/"
	ls "$place/debs-$2"/postgresql-$major-peftarith_*.deb
}

absent() { ! grep "$@"; }

# Every compilation has the flag that keeps products from being contracted, and
# none that changes a float; the distribution's own flags have come through.
flags()
{
	grep -E '^[a-z0-9_-]*gcc .* -c ' "$place/$1.log" >"$place/$1.gcc"
	absent -v -e ' -ffp-contract=off ' "$place/$1.gcc"
	absent -E -e ' -(flto|march=|mfma|Ofast|ffast-math|funsafe|fassociative|ffp-contract=(fast|on))' "$place/$1.gcc"
	absent -v -e ' -fstack-protector-strong .* -D_FORTIFY_SOURCE' "$place/$1.gcc"
	absent -v -e ' -ffile-prefix-map=' "$place/$1.gcc"
}

# The regression tests and those of isolation have run against the packages of each major
tested()
{
	grep -cE '^ok [0-9]+ ' "$place/$1.log"
	absent -E -e '^not ok|skipping this version' "$place/$1.log"
	[ "$(grep -c '^### PostgreSQL .* installcheck' "$place/$1.log")" = "$(grep -c '^# All .* tests passed' "$place/$1.log" | awk '{ print $1 / 2 }')" ]
}

without_complaint()
{
	inside "$place/build" setpriv --reuid=builder --regid=builder --init-groups env HOME=/home/builder \
		sh -c 'lintian --version; lintian -I --fail-on error,warning,info --color never /home/builder/new/*.changes'
}
