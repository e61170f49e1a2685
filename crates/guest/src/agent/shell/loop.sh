# The same as loop.bash for a plain POSIX shell, which cannot read up to a NUL: each command line stands in the
# file $4, and a line on standard input says that it is there.
__journeyman_report() {
  export -p
  printf '\0%s\0%s\0%s\0' "$1" "$2" "${PWD:-/}"
}
__journeyman_pipe=$2
__journeyman_file=$4
[ -f "$3" ] && . "$3" 2>/dev/null
exec 6>&1 7>&2 8<&0 </dev/null
trap 'exit 124' USR1
trap '__journeyman_report exit $? >"$__journeyman_pipe" 2>/dev/null' EXIT
while read -r __journeyman_go <&8; do
  eval "$(cat "$__journeyman_file")" </dev/null >&6 2>&7 6>&- 7>&- 8<&-
  { __journeyman_report done $? >"$__journeyman_pipe"; set +efnuvx; } 2>/dev/null
done
