# One command in a resident bash, whose text is in __pd_c already.
#
# NONCE    16 hexadecimal digits that nothing else knows
# MARK     the soft resident-set limit in KiB that the processes of this command carry; that the
#          shell carries it says that all of this has been read
# RESTORE  options and `$?` as the command before left them
# INPUT    the redirection of what the command reads
# HERE-DOCUMENT  what follows is sent line by line, what is above as one line
#
# `.` of a constant here-document takes `return` and keeps bash from announcing background jobs.
# `!` keeps an ERR trap from firing for us; PIPESTATUS knows the status nevertheless. The command
# has no descriptors 7 and 8. __pd_r says how far it came: 0 not begun, 1 begun, 3 at its end.
# __pd_e tells the line that brings the shell back into step that this here has been done.
# What a user has bash print, or end it for, while it waits for input is taken away each time; an
# assignment to a prompt that the user has made read-only would leave the line, `printf -v` does not.
# Backslashes and `builtin` pass by aliases and by functions of the user's.
{ __pd_r=0 __pd_s= __pd_e=; \builtin ulimit -S -m MARK; } >/dev/null 2>&1;
! \builtin . /proc/self/fd/0 7>&- 8>&- <<'E';
{ __pd_s=${__pd_s:-${PIPESTATUS[0]}} __pd_f=$- __pd_c= __pd_e=1; \builtin set +aeuvx;
__pd_1=$PS1 __pd_2=$PS2; \builtin printf -v PS1 ''; \builtin printf -v PS2 '';
\builtin unset -v PROMPT_COMMAND TMOUT;
\builtin printf '\036ENONCE\036' >&8;
\builtin printf '\036ENONCE:%s:%s:%s\036' "$__pd_s" "$__pd_f" "$__pd_r" >&7; } >/dev/null 2>&1
HERE-DOCUMENT
__pd_r=1; \builtin printf -v PS1 %s "$__pd_1" 2>/dev/null || \:; \builtin printf -v PS2 %s "$__pd_2" 2>/dev/null || \:; RESTORE ! \builtin eval "$__pd_c" INPUT; { __pd_s=${PIPESTATUS[0]} __pd_r=3; } 2>/dev/null
E
