# Compares the working copy, new files included, with commit $1. Works with the base's own repository and index,
# so that it does not matter what the agent has done to /workspace/.git.
# $2: "files" for counts per file, "patch" for the whole difference.
set -eu
state=${GIT_OBJECT_DIRECTORY%/*}/compare-$$
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/objects"
export GIT_OBJECT_DIRECTORY="$state/objects" GIT_INDEX_FILE="$state/index"
# With its time: git looks at the content of files that are as young as the index.
cp -p "$GIT_DIR/index" "$GIT_INDEX_FILE"
stage
case $2 in
files) git diff --cached --numstat -z --no-renames --no-ext-diff --no-textconv "$1" ;;
patch) git diff --cached --binary --find-renames --no-color --no-ext-diff --no-textconv --src-prefix=a/ --dst-prefix=b/ "$1" ;;
esac
