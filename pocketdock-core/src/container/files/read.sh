# Gives out the content of a file of a sandbox, links followed.
#
#   read.sh PATH
#
# And then `pd done`, without which it has been cut off. Or fails and says on stderr
# `pd fail WHY PATH`, with WHY one of missing, is_dir, not_file, denied.
fail() {
  printf 'pd fail %s %s\n' "$1" "$2" >&2
  exit 1
}
[ ! -d "$1" ] || fail is_dir "$1"
[ -e "$1" ] || fail missing "$1"
[ -f "$1" ] || fail not_file "$1"
[ -r "$1" ] || fail denied "$1"
cat <"$1" && printf 'pd done'
