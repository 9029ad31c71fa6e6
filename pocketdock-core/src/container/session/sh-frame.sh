# The functions that a resident dash or ash runs each command with; see sh.sh for the order.
#
# They are kept as one line, and are defined in the first that the shell reads: an ash counts the
# lines of what it evaluates from the line of the function, so the first line of a command is 1.
#
#   __pd_b MARK LEAKY RESTORE INPUT   before the command
#   __pd_u PARAMETER...               the command, with the user's positional parameters
#   __pd_w                            after it, whatever has become of __pd_u
#   __pd_v NONCE                      the report
#
# __pd_r says how far the command came: 0 not begun, 1 begun, 2 aborted, 3 at its end. SIGURG aborts
# it: its trap fails as a special builtin does.
# `command eval` takes what would end these shells: syntax errors, failed redirections and
# expansions. In a function, dash forgets the loops that an abort has left; ash does not, for which
# there is the loop (__pd_l is not empty). A command that leaves the function by `return` has
# changed no positional parameters; else it writes them back, quoted, into __pd_a.
# What the shell would say of our own text after `set -v` or `set -x` is redirected, and only then,
# for to open /dev/null is half of what such a line costs.
__pd_y='case $- in *[vx]*) { __pd_s=$? __pd_r=3; } 2>/dev/null;; *) __pd_s=$? __pd_r=3;; esac';
__pd_b() {
__pd_r=0 __pd_a= __pd_s= __pd_f= __pd_e= __pd_l=$2;
\trap 'case $__pd_r in 1) __pd_r=2; { \. /dev/null/x; } 2>/dev/null;; esac' URG;
\command ulimit -S -m "$1" 2>&-;
__pd_x="__pd_r=1; $3 \\eval \"\$__pd_c\" $4; $__pd_y"; };
__pd_u() {
case $__pd_l in '') \command eval "$__pd_x";; *) for __pd_j in 1; do \command eval "$__pd_x"; done;; esac;
case $- in *[vx]*) { __pd_s=${__pd_s:-$?} __pd_f=$-; \set +vx; } 2>/dev/null;;
*) __pd_s=${__pd_s:-$?} __pd_f=$-;; esac; __pd_c=; \set +aeu;
for __pd_i do __pd_a="$__pd_a '"; while :; do case $__pd_i in
*\'*) __pd_a="$__pd_a${__pd_i%%\'*}'\\''" __pd_i=${__pd_i#*\'};; *) \break;; esac; done;
__pd_a="$__pd_a$__pd_i'"; done; };
__pd_w() {
case $__pd_f in '') { __pd_s=$? __pd_f=$- __pd_a=-; \set +aeuvx; } 2>/dev/null;; esac;
\unset -f command; \trap - URG; };
__pd_v() {
__pd_e=1;
\command printf '\036E%s\036' "$1" >&8;
\command printf '\036E%s:%s:%s:%s\036' "$1" "$__pd_s" "$__pd_f" "$__pd_r" >&7; }
