# Makes the working copy one or more commits over $1 that carry the run's id, and prints the tip.
# $1 the commit that the work started from, $2 message, $3 trailer
set -eu
cd /workspace
base=$1 trailer=$3
git add --all
head=$(git rev-parse --verify --quiet 'HEAD^{commit}' || :)
tree=$(git write-tree)
# Commits of the agent's own are kept where they are a plain line from the base on; else all becomes one.
line=
if [ -n "$head" ] && git merge-base --is-ancestor "$base" "$head" 2>/dev/null &&
  [ -z "$(git rev-list --merges "$base..$head")" ]; then
  line=$(git rev-list --reverse "$base..$head")
fi
tip=$base
for commit in $line; do
  tip=$(
    export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE
    GIT_AUTHOR_DATE=$(git show -s --format=%ad --date=raw "$commit")
    git show -s --format=%B "$commit" |
      git interpret-trailers --if-exists doNothing --trailer "$trailer" |
      git commit-tree "$commit^{tree}" -p "$tip"
  )
done
if [ "$tree" != "$(git rev-parse "$tip^{tree}")" ]; then
  tip=$(printf '%s\n' "$2" | git interpret-trailers --trailer "$trailer" | git commit-tree "$tree" -p "$tip")
fi
if [ "$(git rev-parse "$tip^{tree}")" = "$(git rev-parse "$base^{tree}")" ]; then tip=$base; fi
echo "tip=$tip"
echo "commits=$(git rev-list --count "$base..$tip")"
