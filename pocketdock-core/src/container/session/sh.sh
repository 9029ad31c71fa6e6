# One command in a resident dash or ash, whose text is in __pd_c already.
#
# MARK     the soft resident-set limit in KiB that the processes of the command carry; that the
#          shell carries it says that all of this has been read
# LEAKY    nothing, or anything if a command was aborted
# RESTORE  options and `$?` as the command before left them
# INPUT    the redirection of what the command reads
# NONCE    16 hexadecimal digits that nothing else knows
#
# What is the same for every command is in functions (sh-frame.sh), for to read text is most of what
# such a line costs. The command is evaluated in one; positional parameters are put back here.
# A function of the user's that is named `command` is removed; backslashes pass by aliases.
\unset -f command; __pd_b MARK 'LEAKY' 'RESTORE' 'INPUT'; __pd_u "$@" 7>&- 8>&-; __pd_w;
case $__pd_a in -) ;; *) \eval "\\set -- $__pd_a";; esac; __pd_v NONCE
