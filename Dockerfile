# peftarith in PostgreSQL's official image:
#   docker build --build-arg PG_MAJOR=17 -t peftarith .
ARG PG_MAJOR=17
FROM postgres:${PG_MAJOR}
COPY . /usr/src/peftarith
# In one layer, so that no compiler stays; what the library is linked with is named, lest it goes with the headers.
RUN set -eu; \
	build="gcc make libc6-dev postgresql-server-dev-$PG_MAJOR libzstd-dev libjansson-dev libpcre2-dev libxxhash-dev"; \
	apt-get update; \
	apt-get install -y --no-install-recommends libzstd1 libjansson4 libpcre2-8-0 libopenblas0 $build; \
	make -C /usr/src/peftarith install PG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config; \
	apt-get purge -y --auto-remove $build; \
	rm -rf /usr/src/peftarith /var/lib/apt/lists/*
