# Lists the names in a directory of a sandbox, a NUL behind each.
#
#   list.sh PATH
#
# And then `pd done`, without which it has been cut off. Or fails and says on stderr
# `pd fail WHY PATH`, with WHY one of missing, not_dir, denied.
fail() {
  printf 'pd fail %s %s\n' "$1" "$2" >&2
  exit 1
}
if ! cd -- "$1" 2>/dev/null; then
  [ ! -d "$1" ] || fail denied "$1"
  [ -e "$1" ] || fail missing "$1"
  fail not_dir "$1"
fi
[ -r . ] || fail denied "$1"
for file in .[!.]* ..?* *; do
  [ -e "./$file" ] || [ -L "./$file" ] || continue
  printf '%s\0' "$file"
done
printf 'pd done'
