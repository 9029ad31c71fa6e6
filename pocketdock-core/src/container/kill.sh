# Signals the processes of one exec instance from a second one in the same container.
#
#   kill.sh ID SIGNAL SCOPE MARK FIRST
#
# ID      the value of POCKETDOCK_EXEC_ID in the environment of the instance's processes
# SIGNAL  a name or number, as kill takes it
# SCOPE   tree: every process of the instance; command: its first process alone
# MARK    the resident-set limit in bytes, soft or hard, that its processes carry
# FIRST   the process ID of its first process, or 0 if that is not known
#
# A process belongs to the instance if it carries the ID or the mark, is in the session of one
# that does, or is a child of one that belongs. Only a process whose parent is outside (0) or the
# init (1) has to be asked for its marks, for any other follows its parent. SIGKILL stops every member first and looks again
# until no new one turns up, so that a process which forks all the time cannot run away.
# Builtins only: the container may be at its limit of processes. Prints `done KILLED REFUSED`.
id=$1 signal=$2 scope=$3 mark=$4 first=$5
self=$$
seen=' '

snapshot() { # table = pid:parent:session of every live process but this one
  table=
  for dir in /proc/[0-9]*; do
    pid=${dir#/proc/} text=
    [ "$pid" = "$self" ] && continue
    { while IFS= read -r line; do text=$text$line; done <"$dir/stat"; } 2>/dev/null || continue
    [ -n "$text" ] || continue
    text=${text##*) }
    case ${text%% *} in Z | X) continue ;; esac
    text=${text#* } parent=${text%% *}
    text=${text#* } text=${text#* } session=${text%% *}
    table="$table $pid:$parent:$session"
  done
}

marked() { # does process $1 carry the ID or the mark?
  { while IFS= read -r line || [ -n "$line" ]; do
    case $line in *"POCKETDOCK_EXEC_ID=$id"*) return 0 ;; esac
  done <"/proc/$1/environ"; } 2>/dev/null
  { while read -r a b _ soft hard _; do
    [ "$a $b" = 'Max resident' ] || continue
    [ "$soft" = "$mark" ] || [ "$hard" = "$mark" ] && return 0
  done <"/proc/$1/limits"; } 2>/dev/null
  return 1
}

find_members() { # members = pids, sessions = theirs, leader = the one with its parent outside
  members=' ' sessions=' '
  for entry in $table; do
    pid=${entry%%:*} rest=${entry#*:} session=${entry##*:}
    case $seen in
    *" $pid "*) ;;
    *)
      case ${rest%%:*} in
      0) [ "$first" = 0 ] || [ "$pid" = "$first" ] || continue ;;
      1) ;;
      *) continue ;;
      esac
      marked "$pid" || continue
      ;;
    esac
    add
    [ "$session" -le 1 ] || sessions="$sessions$session "
    [ "${rest%%:*}" = 0 ] && leader=$pid
  done
  grown=1
  while [ $grown = 1 ]; do
    grown=0
    for entry in $table; do
      pid=${entry%%:*} rest=${entry#*:}
      case $members in *" $pid "*) continue ;; esac
      case $members in *" ${rest%%:*} "*) add && grown=1 && continue ;; esac
      case $sessions in *" ${rest##*:} "*) add && grown=1 ;; esac
    done
  done
}

add() {
  members="$members$pid "
  case $seen in *" $pid "*) ;; *) seen="$seen$pid " ;; esac
}

killed=0 refused=0 leader=
send() {
  if kill "-$signal" "$1" 2>/dev/null; then
    killed=$((killed + 1))
  elif [ -e "/proc/$1" ]; then
    refused=$((refused + 1))
  fi
}

# An ID that was reused since, or that a process with another one has now, is none.
[ "$first" = 0 ] || marked "$first" || first=0
before=none members=
round=0
while [ "$before" != "$members" ] && [ $round -lt 30 ]; do
  before=$members round=$((round + 1))
  snapshot
  find_members
  case $signal in KILL | 9) ;; *) break ;; esac
  [ "$scope" = tree ] || break
  for pid in $members; do kill -STOP "$pid" 2>/dev/null; done
done

if [ "$scope" = command ]; then
  [ -n "$leader" ] && send "$leader" && kill -CONT "$leader" 2>/dev/null
else
  for pid in $members; do send "$pid"; done
  # A stopped process would keep any other signal waiting.
  case $signal in
  KILL | 9 | STOP | TSTP) ;;
  *) for pid in $members; do kill -CONT "$pid" 2>/dev/null; done ;;
  esac
fi
echo "done $killed $refused"
