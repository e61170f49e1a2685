# Makes the working copy one or more commits over $1 that carry the run's id, and prints the tip.
# $1 the commit that the work started from, $2 message, $3 trailer, $4 the tip of an earlier delivery or empty
set -eu
base=$1 trailer=$3
mkdir -p "$GIT_OBJECT_DIRECTORY"
export GIT_INDEX_FILE="$GIT_OBJECT_DIRECTORY/../index"
# With its time: git looks at the content of files that are as young as the index.
cp -p "$GIT_DIR/index" "$GIT_INDEX_FILE"
stage
tree=$(git write-tree)
# Commits of the agent's own are kept where they are a plain line from the base on; else, or where the agent's
# repository is broken, all becomes one.
own() {
  env -u GIT_DIR -u GIT_WORK_TREE -u GIT_OBJECT_DIRECTORY -u GIT_ALTERNATE_OBJECT_DIRECTORIES -u GIT_INDEX_FILE \
    git -C /workspace "$@" 2>/dev/null
}
head=$(own rev-parse --verify --quiet 'HEAD^{commit}' || :)
line= start=
if [ -n "$4" ] && git cat-file -e "$4^{commit}" 2>/dev/null; then
  start=$4
elif [ -n "$head" ] && git merge-base --is-ancestor "$base" "$head" 2>/dev/null &&
  [ -z "$(git rev-list --merges "$base..$head" 2>&1)" ]; then
  line=$(git rev-list --reverse "$base..$head")
fi
tip=${start:-$base}
for commit in $line; do
  tip=$(
    export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE
    GIT_AUTHOR_DATE=@$(git show -s --format=%ad --date=raw "$commit")
    git show -s --format=%B "$commit" |
      git interpret-trailers --if-exists doNothing --trailer "$trailer" |
      git commit-tree "$commit^{tree}" -p "$tip"
  )
done
if [ "$tree" != "$(git rev-parse "$tip^{tree}")" ]; then
  tip=$(printf '%s\n' "$2" | git interpret-trailers --trailer "$trailer" | git commit-tree "$tree" -p "$tip")
fi
if [ -z "$start" ] && [ "$tree" = "$(git rev-parse "$base^{tree}")" ]; then tip=$base; fi
echo "tip=$tip"
echo "commits=$(git rev-list --count "$base..$tip")"
