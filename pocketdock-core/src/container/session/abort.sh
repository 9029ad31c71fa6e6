# Aborts the command that a resident shell is running, from a second exec in its container.
#
#   abort.sh SHELL MARK ROUND SIGNAL
#
# SHELL   the process ID of the shell
# MARK    the soft resident-set limit in bytes that the processes of the command carry
# ROUND   1: ask, with SIGINT; more: kill
# SIGNAL  what makes the shell itself give the command up; `-` if it only waits for it
#
# A process belongs to the command if it carries the mark and is a child of the shell or of the
# init, which adopts daemons, or if it is a child of one that belongs. Jobs that earlier commands
# have left carry other marks and are spared. If the shell itself does not carry the mark, because
# the command has set a limit of its own, every child of the shell belongs.
# Killing stops every member first and looks again until no new one turns up, so that a process
# which forks all the time cannot run away. Builtins only: the container may be at its limit of
# processes.
# A shell that does not carry the mark may also be reading the command still. A signal would cut
# that off, and the rest would be taken for a command; so in the first round nothing is sent then.
# Prints `done HEARD COUNT`, with `no` for that and else `yes`.
shell=$1 mark=$2 round=$3 signal=$4

snapshot() { # table = pid:parent of every live process
  table=
  for dir in /proc/[0-9]*; do
    text=
    { while IFS= read -r line; do text=$text$line; done <"$dir/stat"; } 2>/dev/null || continue
    [ -n "$text" ] || continue
    text=${text##*) }
    case ${text%% *} in Z | X) continue ;; esac
    text=${text#* }
    table="$table ${dir#/proc/}:${text%% *}"
  done
}

marked() { # does process $1 carry the mark?
  { while read -r a b _ soft _; do
    [ "$a $b" = 'Max resident' ] && [ "$soft" = "$mark" ] && return 0
  done <"/proc/$1/limits"; } 2>/dev/null
  return 1
}

find_members() {
  members=' '
  for entry in $table; do
    pid=${entry%:*}
    [ "$pid" = "$shell" ] && continue
    case ${entry#*:} in
    "$shell") [ "$spares" = 0 ] || marked "$pid" || continue ;;
    1) marked "$pid" || continue ;;
    *) continue ;;
    esac
    members="$members$pid "
  done
  grown=1
  while [ $grown = 1 ]; do
    grown=0
    for entry in $table; do
      case $members in *" ${entry%:*} "*) continue ;; esac
      case $members in *" ${entry#*:} "*) members="$members${entry%:*} " grown=1 ;; esac
    done
  done
}

nudge() { # the shell itself, which may have been stopped
  [ "$signal" = - ] || kill "-$signal" "$shell"
  kill -CONT "$shell"
}

ask() {
  snapshot
  find_members
  nudge
  for pid in $members; do
    kill -INT "$pid"
    kill -CONT "$pid"
  done
}

destroy() {
  before=none members= tries=0
  while [ "$before" != "$members" ] && [ $tries -lt 30 ]; do
    before=$members tries=$((tries + 1))
    snapshot
    find_members
    for pid in $members; do kill -STOP "$pid"; done
  done
  nudge
  for pid in $members; do kill -KILL "$pid"; done
  # A shell between two waits may miss a signal that comes too early.
  tries=0
  while [ "$signal" != - ] && [ $tries -lt 300 ]; do
    kill "-$signal" "$shell"
    tries=$((tries + 1))
  done
}

spares=0
marked "$shell" && spares=1
case $round$spares in
10) members= heard=no ;;
11) ask ;;
*) destroy ;;
esac 2>/dev/null
count=0
for pid in $members; do count=$((count + 1)); done
echo "done ${heard:-yes} $count"
