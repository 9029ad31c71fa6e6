# Makes a shell resident that runs each command in a subshell. The first thing it reads.
#
# NONCE   16 hexadecimal digits
#
# Descriptors 7 and 8 are the ways out, for markers and for commands. What the shell has to say of
# its own, such as that a command was killed, is about nothing that anybody asked for.
#
# A command that has ended may leave processes behind. The init adopts them, and the kernel lists
# its children in one short line (proc(5), `/proc/PID/task/TID/children`). If that line is not what
# it was before, the new ones are asked for the mark of the command, and with it they are killed,
# children first, so that nothing runs into the output of the next command. Without the line,
# on a kernel that does not have it, they are left alone.
PS1= PS2=; \unset ENV MAILCHECK MAIL TMOUT;
\exec 7>&1 8>&2 >/dev/null 2>&1;
__pd_list() { __pd_o=; \read -r __pd_o </proc/1/task/1/children; };
__pd_carries() { while \read -r __pd_a __pd_b __pd_d __pd_l __pd_x; do case "$__pd_a $__pd_b" in
'Max resident') [ "$__pd_l" = "$__pd_m" ]; \return;; esac; done <"/proc/$1/limits"; \return 1; };
__pd_kill() { for __pd_p do \kill -STOP "$__pd_p"; __pd_d=;
\read -r __pd_d <"/proc/$__pd_p/task/$__pd_p/children"; \kill -KILL "$__pd_p"; __pd_kill $__pd_d; done; };
__pd_sweep() { for __pd_i in 1 2 3 4 5 6 7 8; do __pd_list; case $__pd_o in "$__pd_k") \return;; esac;
__pd_n=; for __pd_q in $__pd_o; do case " $__pd_k " in *" $__pd_q "*) ;; *)
__pd_carries "$__pd_q" && __pd_n="$__pd_n $__pd_q";; esac; done;
case $__pd_n in '') \break;; esac; __pd_kill $__pd_n; done; __pd_k=$__pd_o; };
__pd_list; __pd_k=$__pd_o;
\command printf '\036INONCE:%s::\036' "$$" >&7;
\command printf '\036INONCE\036' >&8
