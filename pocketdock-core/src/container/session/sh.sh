# One command in a resident dash or ash, whose text is in __pd_c already.
#
# NONCE    16 hexadecimal digits that nothing else knows
# MARK     the soft resident-set limit in KiB that the processes of the command carry; that the
#          shell carries it says that all of this has been read
# RESTORE  options and `$?` as the command before left them
# INPUT    the redirection of what the command reads
# LEAKY    nothing, or anything if a command was aborted
#
# It is evaluated in a function (sh-frame.sh). A command that leaves that by `return` has changed no
# positional parameters. SIGURG aborts the command: its trap fails as a special builtin does.
# __pd_r says how far the command came: 0 not begun, 1 begun, 2 aborted, 3 at its end.
# A function of the user's that is named `command` is removed; backslashes pass by aliases.
\unset -f command; __pd_r=0 __pd_a= __pd_s= __pd_f= __pd_e= __pd_l=LEAKY;
\trap 'case $__pd_r in 1) __pd_r=2; { \. /dev/null/x; } 2>/dev/null;; esac' URG;
\command ulimit -S -m MARK 2>&-;
__pd_x='__pd_r=1; RESTORE \eval "$__pd_c" INPUT;
case $- in *[vx]*) { __pd_s=$? __pd_r=3; } 2>/dev/null;; *) __pd_s=$? __pd_r=3;; esac';
__pd_u "$@" 7>&- 8>&-;
case $__pd_f in '') { __pd_s=$? __pd_f=$- __pd_a=-; \set +aeuvx; } 2>/dev/null;; esac;
\unset -f command; \trap - URG;
case $__pd_a in -) ;; *) \eval "\\set -- $__pd_a";; esac; __pd_e=1;
\command printf '\036ENONCE\036' >&8;
\command printf '\036ENONCE:%s:%s:%s\036' "$__pd_s" "$__pd_f" "$__pd_r" >&7
