# What a resident bash evaluates after each command, whose status is in __pd_s and whose nonce is in
# __pd_n: it reports.
#
# It is kept as one line. What a user has bash print, or end it for, while it waits for input is
# taken away; an assignment to a prompt that the user has made read-only would leave the line,
# `printf -v` does not.
__pd_f=$- __pd_c= __pd_e=1; \builtin set +aeuvx;
__pd_1=$PS1 __pd_2=$PS2; \builtin printf -v PS1 ''; \builtin printf -v PS2 '';
\builtin unset -v PROMPT_COMMAND TMOUT;
\builtin printf '\036E%s\036' "$__pd_n" >&8;
\builtin printf '\036E%s:%s:%s:%s\036' "$__pd_n" "$__pd_s" "$__pd_f" "$__pd_r" >&7
