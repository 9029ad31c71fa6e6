# Makes a shell resident. The first thing it reads.
#
# NONCE   16 hexadecimal digits
# BEGIN, END  what bash evaluates around each command (bash-begin.sh, bash-end.sh); a user who could
#             change it would have commands end without a report
# FRAME       the function in which a dash or ash runs each command (sh-frame.sh)
#
# Descriptors 7 and 8 become the ways out for markers, whatever commands do to 1 and 2. The answer
# tells the shell's process ID, the inode number of what it reads its commands from (proc(5),
# `/proc/PID/fdinfo/FD`; nothing on a kernel before 5.14), and its version if it is bash. What could
# print, or end the shell, while it waits for input is taken away.
PS1= PS2= __pd_1= __pd_2= __pd_r= __pd_e=;
\unset PROMPT_COMMAND MAILCHECK MAIL TMOUT __pd_c __pd_s __pd_f;
\exec 7>&1 8>&2 9<&0; __pd_i=;
while \read -r __pd_a __pd_b; do case $__pd_a in ino:) __pd_i=$__pd_b;; esac; done </proc/self/fdinfo/9;
\exec 9<&-;
case ${BASH_VERSION-} in ?*) \readonly __pd_y=BEGIN __pd_z=END;;
*) FRAME;; esac;
\command printf '\036INONCE:%s:%s:%s\036' "$$" "$__pd_i" "${BASH_VERSION-}" >&7;
\command printf '\036INONCE\036' >&8
