# One command in a resident bash, whose text is in __pd_c already.
#
# NONCE    16 hexadecimal digits that nothing else knows
# MARK     the soft resident-set limit in KiB that the processes of this command carry; that the
#          shell carries it says that all of this has been read
# RESTORE  options and `$?` as the command before left them
# INPUT    the redirection of what the command reads
# HERE-DOCUMENT  what follows is sent line by line, what is above as one line
#
# A bash reads what comes through a pipe byte by byte, so what is the same for every command is in
# variables (bash-begin.sh, bash-end.sh).
# `.` of a constant here-document takes `return` and keeps bash from announcing background jobs.
# `!` keeps an ERR trap from firing for us; PIPESTATUS knows the status nevertheless. The command
# has no descriptors 7 and 8. __pd_r says how far it came: 0 not begun, 1 begun, 3 at its end.
# __pd_e tells the line that brings the shell back into step that this here has been done.
# Backslashes and `builtin` pass by aliases and by functions of the user's.
{ __pd_r=0 __pd_s= __pd_e=; \builtin ulimit -S -m MARK; } >/dev/null 2>&1;
! \builtin . /proc/self/fd/0 7>&- 8>&- <<'E';
{ __pd_s=${__pd_s:-${PIPESTATUS[0]}} __pd_n=NONCE; \builtin eval "$__pd_z"; } >/dev/null 2>&1
HERE-DOCUMENT
__pd_r=1; \builtin eval "$__pd_y"; RESTORE ! \builtin eval "$__pd_c" INPUT; { __pd_s=${PIPESTATUS[0]} __pd_r=3; } 2>/dev/null
E
