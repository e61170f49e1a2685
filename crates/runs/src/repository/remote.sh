# Clones what $1 names into the bare repository /workspace/$2. Where there is an earlier clone at $3, what it has is not
# sent again, and the branches of runs in it are kept. Runs in a sandbox that reaches that one host.
set -eu
head=$(git ls-remote --symref -- "$1" HEAD | sed -n 's|^ref: \(refs/heads/[^	]*\)	HEAD$|\1|p')
if [ -z "$head" ]; then
  echo "it has no branch that is its default" >&2
  exit 1
fi
git init -q --bare "/workspace/$2"
cd "/workspace/$2"
if [ -n "$3" ]; then
  # What is there already is borrowed while the rest is fetched, and then copied.
  echo "$3/objects" >objects/info/alternates
  git --git-dir="$3" for-each-ref --format='create %(refname) %(objectname)' refs/heads/journeyman | git update-ref --stdin
  before=$(git --git-dir="$3" rev-parse -q --verify 'HEAD^{commit}' || true)
  [ -z "$before" ] || git update-ref refs/before "$before"
fi
git fetch -q --no-tags -- "$1" "+$head:$head"
git symbolic-ref HEAD "$head"
if [ -n "$3" ]; then
  git update-ref -d refs/before
  git repack -q -a -d
  rm objects/info/alternates
fi
git rev-parse -q --verify 'HEAD^{commit}' >/dev/null
