# Tells whether a resident shell is running its command, from a second exec in its container.
#
#   idle.sh SHELL INO
#
# SHELL  the process ID of the shell
# INO    the inode number of what it reads its commands from
#
# While a command runs, its own input stands in the place of the shell's descriptor 0, and the
# kernel says what stands there (proc(5), `/proc/PID/fdinfo/0`). A shell that has its commands' pipe
# there is between two commands, and one that sleeps, too, waits for the next. A busybox whose command
# has left it no room for descriptors 7 and 8 complains for ever that it cannot put them back; one
# without them that waits for no child of its own counts as between two commands, too. Builtins only.
# Prints `done waits`, `done between` or `done runs`.
shell=$1 ino=$2 found= text= room= children=-
{ while IFS= read -r line; do text=$text$line; done <"/proc/$shell/stat"
while read -r name value; do
  case $name in ino:) found=$value ;; esac
done <"/proc/$shell/fdinfo/0"
while read -r a b c soft _; do
  case "$a $b $c" in 'Max open files') room=$soft ;; esac
done <"/proc/$shell/limits"
read -r children <"/proc/$shell/task/$shell/children"; } 2>/dev/null
text=${text##*) }
case ${text%% *}:$found:$room:$children in
  S:"$ino":*) echo "done waits" ;;
  *:"$ino":* | *:[0-8]:) echo "done between" ;;
  *) echo "done runs" ;;
esac
