# Gives out files of a sandbox as an archive on stdout.
#
#   get.sh DIR NAME
#
# What is called NAME in the directory DIR; paths in the archive begin with `./NAME`, or with `.` if
# NAME is that. Times are exact to the nanosecond where tar is GNU's, and else to the second.
#
# Says on stderr, as its last line, `pd done STATUS`, or before anything is given out
# `pd fail WHY PATH`, with WHY one of missing, not_dir, denied, no_tar, or made for a file of the
# kernel's, which seems to be empty until it is read. STATUS is `changed` if GNU
# tar could read everything, and has said of which files on the lines before what became of them.
dir=$1 name=$2
fail() {
  printf 'pd fail %s %s\n' "$1" "$2" >&2
  exit
}
if ! cd -- "$dir" 2>/dev/null; then
  [ ! -d "$dir" ] || fail denied "$dir"
  [ -e "$dir" ] || [ -L "$dir" ] || fail missing "$dir"
  fail not_dir "$dir"
fi
[ -e "./$name" ] || [ -L "./$name" ] || fail missing "${dir%/}/$name"
command -v tar >/dev/null || fail no_tar tar
if [ -f "./$name" ] && [ ! -L "./$name" ] && [ ! -s "./$name" ] &&
  IFS= read -r _ 2>/dev/null <"./$name"; then
  fail made "${dir%/}/$name"
fi
[ "$name" = . ] || name=./$name
case $(tar --version 2>/dev/null) in
*GNU*)
  tar -c -f - --format=posix --pax-option=delete=atime,delete=ctime "$name"
  status=$?
  [ $status != 1 ] || status=changed
  ;;
*)
  tar -c -f - "$name"
  status=$?
  ;;
esac
printf '\npd done %s\n' "$status" >&2
