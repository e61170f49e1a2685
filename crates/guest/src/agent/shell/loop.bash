# Reads command lines from standard input and evaluates them. Before each stands a line: its length where it is plain
# ASCII, so that it can be read at once, or "z" where it ends with a NUL and is read letter by letter.
# After each one, and when it ends, it reports through the named pipe $2: exports, how, exit status, directory; each
# ended by a NUL. The file $3 restores the directory and the exports of the shell before this one.
__journeyman_report() {
  builtin export -p
  builtin printf '\0%s\0%s\0%s\0' "$1" "$2" "${PWD:-/}"
}
__journeyman_pipe=$2
[ -f "$3" ] && . "$3" 2>/dev/null
shift $#
exec 196>&1 197>&2 198<&0 </dev/null
# The one way to end a list of commands whose time is up: after the current one, end the shell, which reports.
trap 'exit 124' USR1
trap '__journeyman_report exit $? >"$__journeyman_pipe" 2>/dev/null' EXIT
while IFS= builtin read -r -u 198 __journeyman_length; do
  case $__journeyman_length in
    z) IFS= builtin read -r -d '' -u 198 __journeyman_command ;;
    *) IFS= builtin read -r -N "$__journeyman_length" -u 198 __journeyman_command ;;
  esac
  LINENO=0
  eval "$__journeyman_command" </dev/null >&196 2>&197 196>&- 197>&- 198<&-
  { __journeyman_report done $? >"$__journeyman_pipe"; set +efnuvx +o pipefail; } 2>/dev/null
done
