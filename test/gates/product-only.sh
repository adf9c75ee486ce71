#!/bin/bash
# The tree speaks of the product alone: no paths of somebody's machine, no
# words of how the work was organised, no addresses of local mirrors.
#
# SPDX-License-Identifier: PostgreSQL
. "$(dirname "$0")/lib.sh"

# Brackets keep the expression from finding itself.
words='/wor[k]/|/far[m]/|/roo[t]/|\.librar[y]/|suba[g]ent|\bCE[O]\b|this sessio[n]|helper sessio[n]|\bissue #?[0-9]+\b.*(says|asks)|loca[l]host:[0-9]|index-ur[l][ =]+(http:|file:)'
files '*' | tr '\n' '\0' | xargs -0 grep -nIE "$words" /dev/null | fail_lines "not the product's" || true
finish
