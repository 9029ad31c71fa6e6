# Makes a shell resident. The first thing it reads.
#
# NONCE   16 hexadecimal digits
#
# Descriptors 7 and 8 become the ways out for markers, whatever commands do to 1 and 2. The answer
# tells the shell's process ID and whether it is bash. What could print, or end the shell, while it
# waits for input is taken away.
PS1= PS2= __pd_1= __pd_2= __pd_r= __pd_e=;
\unset PROMPT_COMMAND MAILCHECK MAIL TMOUT __pd_c __pd_s __pd_f;
\exec 7>&1 8>&2;
\command printf '\036INONCE:%s:%s\036' "$$" "${BASH_VERSION-}" >&7;
\command printf '\036INONCE\036' >&8
