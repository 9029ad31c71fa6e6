# Takes an archive from stdin into a sandbox.
#
#   put.sh HOW DEST NAME KIND USER GROUP STAGE VIA
#
# HOW    copy: as `cp -r` would copy something called NAME to DEST; into: the same, and DEST has to
#        be a directory; write: to the file DEST, with the directories above it
# NAME   for printf '%b'; `.` for the content of a directory
# KIND   file or dir: what the archive holds; a file is its only entry, called `entry`, the paths of
#        a directory begin with `.`
# USER GROUP  whose everything is to be, as the container's configuration says it
# STAGE  a name that nothing has
# VIA    stdin: the archive comes there; engine: the engine unpacks it, if it is new and its place can
#        be told in a plain path, and when it has, the line `unpacked` comes on stdin
#
# Says on stderr `pd ready UID GID new|named|merge gnu|other`, followed by where the engine is to
# unpack, if it is; what is `named` is new and called as DEST ends. Then the archive is to be sent;
# before one that is to `merge`, the directories in it, a line each, and an empty line. In the end it
# says `pd done STATUS`. Or it says `pd fail WHY PATH`, with WHY one of missing, is_dir, not_dir,
# denied, no_tar.
# What is new is unpacked beside its place and moved there when it is complete.
how=$1 dest=$2 kind=$4 user=$5 group=$6 stage=.$7 via=$8
name=$(printf '%b.' "$3")
name=${name%.}
fail() {
  printf 'pd fail %s %s\n' "$1" "$2" >&2
  exit
}
why_no_dir() { # PATH
  [ -e "$1" ] || [ -L "$1" ] || fail missing "$1"
  fail not_dir "$1"
}
find_ids() { # the numbers of the user and of the group, as the engine finds them
  uid='' gid=''
  if [ -r /etc/passwd ]; then
    while IFS=: read -r n _ u g _; do
      [ "$n" = "$user" ] || [ "$u" = "$user" ] || continue
      uid=$u gid=$g
      break
    done </etc/passwd
  fi
  case $uid in '') uid=${user:-0} ;; esac
  case $group in
  '') gid=${gid:-0} ;;
  *)
    gid=$group
    [ ! -r /etc/group ] || while IFS=: read -r n _ g _; do
      [ "$n" = "$group" ] && gid=$g && break
    done </etc/group
    ;;
  esac
}
make_dirs() { # as mkdir -p, each the user's
  case $1 in '' | /) return ;; esac
  [ -d "$1" ] && return
  make_dirs "${1%/*}"
  if [ -e "$1" ] || [ -L "$1" ]; then fail not_dir "$1"; fi
  mkdir -- "$1" 2>/dev/null || [ -d "$1" ] || fail denied "$1"
  chown "$uid:$gid" "$1" 2>/dev/null # for whoever may; who may not is that user
}
find_ids
new=new
if [ -d "$dest" ]; then
  case $how in
  write) fail is_dir "$dest" ;;
  *) dir=$dest target=$name ;;
  esac
else
  case $how in into) why_no_dir "$dest" ;; esac
  new=named dir=${dest%/*} target=${dest##*/}
  dir=${dir:-/}
  case $how in write) make_dirs "$dir" ;; esac
  [ -d "$dir" ] || why_no_dir "$dir"
fi
cd -P -- "$dir" 2>/dev/null || fail denied "$dir"
if [ "$kind" = file ] && [ -L "./$target" ] && [ ! -d "./$target" ]; then
  target=$(readlink -f "./$target") || fail missing "$dest"
  cd -P -- "${target%/*}/" 2>/dev/null || fail missing "$target"
  target=${target##*/}
fi
mode=new where=$stage
if [ -d "./$target" ]; then
  [ "$kind" = dir ] || fail is_dir "${dir%/}/$target"
  mode=merge where=./$target
elif [ "$kind" = dir ]; then
  if [ -e "./$target" ] || [ -L "./$target" ]; then fail not_dir "${dir%/}/$target"; fi
  where=$stage/entry
fi
place=
case $mode:$via:$PWD/$where in
*[!A-Za-z0-9./:_-]*) ;;
new:engine:*) place=" ${PWD%/}/$where" ;;
esac
[ -n "$place" ] || command -v tar >/dev/null || fail no_tar tar
if [ $mode = new ]; then
  mkdir "$stage" 2>/dev/null || fail denied "$dir"
  [ "$where" = "$stage" ] || mkdir "$where"
fi
# That of GNU reads 10 KiB at a time unless told otherwise, in blocks of 512 bytes.
flavour=other options=
case $(tar --version 2>/dev/null) in *GNU*) flavour=gnu options='-b 512' ;; esac
keep=--keep-directory-symlink
if [ $mode$flavour = mergegnu ] && tar $keep --version >/dev/null 2>&1; then
  options="$options $keep" # Else it takes a link away to make a directory there.
fi
[ $mode = new ] || new=$mode
printf 'pd ready %s %s %s %s%s\n' "$uid" "$gid" "$new" "$flavour" "$place" >&2
# Not every tar minds what a directory comes in the place of.
while [ $mode = merge ] && IFS= read -r line && [ -n "$line" ]; do
  if [ -L "$where/$line" ] || { [ -e "$where/$line" ] && [ ! -d "$where/$line" ]; }; then
    (fail not_dir "${dir%/}/$target/$line")
    cat >/dev/null # Podman breaks off when it cannot pass on what is sent, and its words are lost.
    exit
  fi
done
if [ -n "$place" ]; then
  read -r word
  [ "$word" = unpacked ]
  status=$?
else
  # Without that, busybox applies it where it does not run as root.
  umask 0
  # shellcheck disable=SC2086 # several, or none
  tar -x -p $options -f - -C "$where"
  status=$?
fi
if [ $mode = new ]; then
  rights=
  if [ -d "$stage/entry" ] && [ ! -L "$stage/entry" ] && [ ! -w "$stage/entry" ]; then
    # A directory without write permission cannot be moved by everybody.
    rights=$(stat -c %a "$stage/entry") && chmod u+w "$stage/entry"
  fi
  # What is mounted by itself can be written to, but not replaced.
  [ $status != 0 ] || mv -f "$stage/entry" "./$target" ||
    { [ ! -L "$stage/entry" ] && [ -f "./$target" ] && cat "$stage/entry" >"./$target"; } ||
    status=1
  [ $status != 0 ] || [ -z "$rights" ] || chmod "$rights" "./$target" || status=1
  # Nor can it be emptied.
  [ $status = 0 ] || chmod -R u+rwx "$stage" 2>/dev/null
  rm -rf "$stage"
fi
printf '\npd done %s\n' "$status" >&2
# Whoever still sends can send to the end.
cat >/dev/null
