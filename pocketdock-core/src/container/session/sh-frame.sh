# The function in which a resident dash or ash evaluates each command; see sh.sh for the names.
#
# It is kept as one line, and is defined in the first that the shell reads: an ash counts the lines
# of what it evaluates from the line of the function, so the first line of a command is 1.
#
# `command eval` takes what would end these shells: syntax errors, failed redirections and
# expansions. In a function, dash forgets the loops that an abort has left; ash does not, for which
# there is the loop (__pd_l is not empty). The function gets the positional parameters and writes
# them back, quoted, for what follows it.
# What the shell would say of our own text after `set -v` or `set -x` is redirected, and only then,
# for to open /dev/null is half of what such a line costs.
__pd_u() {
case $__pd_l in '') \command eval "$__pd_x";; *) for __pd_j in 1; do \command eval "$__pd_x"; done;; esac;
case $- in *[vx]*) { __pd_s=${__pd_s:-$?} __pd_f=$-; \set +vx; } 2>/dev/null;;
*) __pd_s=${__pd_s:-$?} __pd_f=$-;; esac; __pd_c=; \set +aeu;
for __pd_i do __pd_a="$__pd_a '"; while :; do case $__pd_i in
*\'*) __pd_a="$__pd_a${__pd_i%%\'*}'\\''" __pd_i=${__pd_i#*\'};; *) \break;; esac; done;
__pd_a="$__pd_a$__pd_i'"; done; }
