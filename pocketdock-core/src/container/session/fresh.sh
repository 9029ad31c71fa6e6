# One command in a subshell of a resident shell; its text is in __pd_c already.
#
# NONCE   16 hexadecimal digits that nothing else knows
# MARK    the soft resident-set limit in KiB that its processes carry, LIMIT the same in bytes
# GUARD   a test that sets __pd_r to `w` if there is no such working directory
# FEED    nothing, or what writes its input, and a pipe
# SETUP   directory and variables
# INPUT   the redirection of what it reads otherwise
{ __pd_m=LIMIT __pd_r= __pd_s=126; GUARD
\command printf '\036BNONCE\036' >&7;
case $__pd_r in '') FEED ( \ulimit -S -m MARK; SETUP \eval "$__pd_c" ) INPUT >&7 2>&8 7>&- 8>&-;
__pd_s=$?; __pd_sweep;; esac;
\command printf '\036ENONCE:%s::%s\036' "$__pd_s" "$__pd_r" >&7;
\command printf '\036ENONCE\036' >&8; }
