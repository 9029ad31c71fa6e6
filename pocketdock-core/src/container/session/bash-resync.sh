# Brings a bash that may have dropped the end of a command's text back into step.
#
# NONCE  that of the command, or a new one to ask whether the shell listens
#
# It does what is left undone by a command that was aborted to the top level, by SIGINT or by an
# error such as an unset variable under `set -u`, and reports in its place. A second report of a
# command that has reported by itself means nothing.
# A function of the user's that is named like a builtin we need is removed, which `unset` can do
# in POSIX mode only; a builtin that was disabled is enabled.
{ __pd_s=$? __pd_f=$-;
POSIXLY_CORRECT=; \unset -f builtin unset set printf; \unset POSIXLY_CORRECT;
\enable builtin eval printf set ulimit unset .;
case ${__pd_e-} in '') __pd_c= __pd_e=1; \builtin set +aeuvx; __pd_1=$PS1 __pd_2=$PS2; \builtin printf -v PS1 ''; \builtin printf -v PS2 ''; \builtin unset -v PROMPT_COMMAND TMOUT;; esac;
\builtin printf '\036ENONCE:%s:%s:%s\036' "$__pd_s" "$__pd_f" "${__pd_r-}" >&7;
\builtin printf '\036ENONCE\036' >&8; } >/dev/null 2>&1
