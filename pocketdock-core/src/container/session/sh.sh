# One command in a resident dash or ash, whose text is in __pd_c already.
#
# NONCE    16 hexadecimal digits that nothing else knows
# MARK     the soft resident-set limit in KiB that the processes of this command carry; that the
#          shell carries it says that all of this has been read
# RESTORE  options and `$?` as the command before left them
# INPUT    the redirection of what the command reads
# HERE-DOCUMENT  what follows is sent line by line, what is above as one line
# LOOP     nothing, or the head of a loop around it; POOL its end
#
# `command .` takes what would end these shells: syntax errors, failed redirections and expansions,
# and also `return`. In a function, dash forgets the loops that an abort has left; ash does not,
# for which there is the loop. The function gets the positional parameters and writes them back,
# quoted, for what follows it. SIGURG aborts the command: its trap fails as a special builtin does.
# __pd_r says how far the command came: 0 not begun, 1 begun, 2 aborted, 3 at its end.
# A function of the user's that is named `command` is removed; backslashes pass by aliases.
\unset -f command; __pd_r=0 __pd_a= __pd_s= __pd_e=;
\trap 'case $__pd_r in 1) __pd_r=2; { \. /dev/null/x; } 2>/dev/null;; esac' URG;
\command ulimit -S -m MARK 2>/dev/null;
__pd_u() { \unset -f __pd_u; LOOP \command . /proc/self/fd/0; POOL
{ __pd_s=${__pd_s:-$?} __pd_f=$- __pd_c=; \set +aeuvx;
for __pd_i do __pd_a="$__pd_a '"; while :; do case $__pd_i in
*\'*) __pd_a="$__pd_a${__pd_i%%\'*}'\\''" __pd_i=${__pd_i#*\'};; *) \break;; esac; done;
__pd_a="$__pd_a$__pd_i'"; done; } >/dev/null 2>&1; };
__pd_u "$@" 7>&- 8>&- <<'E';
\unset -f command; \trap - URG; \eval "\\set -- $__pd_a"; __pd_e=1;
\command printf '\036ENONCE\036' >&8;
\command printf '\036ENONCE:%s:%s:%s\036' "$__pd_s" "$__pd_f" "$__pd_r" >&7
HERE-DOCUMENT
__pd_r=1; RESTORE \eval "$__pd_c" INPUT; { __pd_s=$? __pd_r=3; } 2>/dev/null
E
