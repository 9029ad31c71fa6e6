# What a resident bash evaluates before each command: the user's prompts are there again.
#
# It is kept as one line. A user may have made a prompt read-only.
\builtin printf -v PS1 %s "$__pd_1" 2>/dev/null || \:;
\builtin printf -v PS2 %s "$__pd_2" 2>/dev/null || \:
