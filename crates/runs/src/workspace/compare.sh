# Compares the working copy, new files included, with commit $1; the agent's own index stays as it is.
# $2: "files" for counts per file, "patch" for the whole difference.
set -eu
cd /workspace
mkdir -p /tmp/journeyman
export GIT_INDEX_FILE=/tmp/journeyman/compare-$$
trap 'rm -f "$GIT_INDEX_FILE"' EXIT
cp .git/index "$GIT_INDEX_FILE" 2>/dev/null || git read-tree "$1"
git add --all
case $2 in
files) git diff --cached --numstat -z --no-renames --no-ext-diff --no-textconv "$1" ;;
patch) git diff --cached --binary --find-renames --no-color --no-ext-diff --no-textconv --src-prefix=a/ --dst-prefix=b/ "$1" ;;
esac
