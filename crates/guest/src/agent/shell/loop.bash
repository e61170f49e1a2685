# Reads command lines, each ended by a NUL, from standard input and evaluates them. After each one, and when it
# ends, it reports through the named pipe $2: how, exit status, directory, exports; each ended by a NUL.
# The file $3 restores the directory and the exports of the shell before this one.
__journeyman_report() {
  builtin printf '%s\0%s\0' "$1" "$2"
  builtin pwd
  builtin printf '\0'
  builtin export -p
  builtin printf '\0'
}
__journeyman_pipe=$2
[ -f "$3" ] && . "$3" 2>/dev/null
shift $#
exec 196>&1 197>&2 198<&0 </dev/null
# The one way to end a list of commands whose time is up: after the current one, end the shell, which reports.
trap 'exit 124' USR1
trap '__journeyman_report exit $? >"$__journeyman_pipe" 2>/dev/null' EXIT
while IFS= builtin read -r -d '' -u 198 __journeyman_command; do
  LINENO=0
  eval "$__journeyman_command" </dev/null >&196 2>&197 196>&- 197>&- 198<&-
  { __journeyman_report done $? >"$__journeyman_pipe"; set +efnuvx +o pipefail; } 2>/dev/null
done
