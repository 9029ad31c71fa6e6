# Asks a dash or ash whether it listens; reports for a command whose own report got lost.
#
# NONCE  that of the command, or a new one
{ __pd_s=$? __pd_f=$-; \set +aeuvx; \unset -f command; __pd_e=1;
\command printf '\036ENONCE:%s:%s:%s\036' "$__pd_s" "$__pd_f" "${__pd_r-}" >&7;
\command printf '\036ENONCE\036' >&8; } >/dev/null 2>&1
