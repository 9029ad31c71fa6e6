# Takes rights to directories away from their owner.
#
#   close.sh DIR
#
# DIR    what has been unpacked, for printf '%b'
#
# Lines `MODE NAME` come on stdin: an octal mode, and a path in DIR for printf '%b'. What is inside
# comes before what it is inside of, which may be closed to us from then on. Says on stderr
# `pd done STATUS`.
dir=$(printf '%b.' "$1")
status=1
if cd -P -- "${dir%.}"; then
  status=0
  while read -r mode name; do
    name=$(printf '%b.' "$name")
    chmod "$mode" "./${name%.}" || status=1
  done
fi
printf '\npd done %s\n' "$status" >&2
