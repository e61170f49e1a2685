# Makes /workspace a clean clone of commit $1, without the source's configuration, hooks, other branches
# and unreachable objects. Runs in a sandbox, with GIT_DIR set to the source.
# $1 commit, $2 branch name or empty, $3 object format, $4 user name, $5 user email, $6 "dirty" or empty
set -eu
commit=$1
clone() { env -u GIT_DIR -u GIT_COMMON_DIR -u GIT_WORK_TREE -u GIT_OBJECT_DIRECTORY -u GIT_ALTERNATE_OBJECT_DIRECTORIES git -C /workspace "$@"; }
clone init --quiet --template= --object-format="$3" --initial-branch="${2:-main}"
mkdir -p /workspace/.git/info
# The source is read-only: whatever git writes goes into the clone, what it reads comes from both.
export GIT_OBJECT_DIRECTORY=/workspace/.git/objects
export GIT_ALTERNATE_OBJECT_DIRECTORIES="$GIT_COMMON_DIR/objects${GIT_ALTERNATE_OBJECT_DIRECTORIES:+:$GIT_ALTERNATE_OBJECT_DIRECTORIES}"
if [ "${6:-}" = dirty ]; then
  # The working tree as it stands becomes one commit on top; its objects go straight into the clone.
  export GIT_INDEX_FILE=/tmp/base-index
  git read-tree HEAD
  git add --all
  tree=$(git write-tree)
  if [ "$tree" != "$(git rev-parse 'HEAD^{tree}')" ]; then
    commit=$(GIT_AUTHOR_NAME="$4" GIT_AUTHOR_EMAIL="$5" GIT_COMMITTER_NAME="$4" GIT_COMMITTER_EMAIL="$5" \
      git commit-tree "$tree" -p "$commit" -m "Uncommitted changes at the start of the run")
  fi
  unset GIT_INDEX_FILE
fi
echo "$commit" | git pack-objects --quiet --revs --delta-base-offset /workspace/.git/objects/pack/pack >/dev/null \
  2>/tmp/pack-errors || { cat /tmp/pack-errors >&2; exit 1; }
shallow=$GIT_COMMON_DIR/shallow
[ ! -s "$shallow" ] || cp "$shallow" /workspace/.git/shallow
clone config user.name "$4"
clone config user.email "$5"
# The clone is seen through an overlay, where inode and change time differ from what the index recorded.
clone config core.checkStat minimal
clone config core.trustctime false
clone config gc.auto 0
if [ -n "$2" ]; then clone update-ref "refs/heads/$2" "$commit"; else clone update-ref --no-deref HEAD "$commit"; fi
clone reset --quiet --hard "$commit"
echo "commit=$commit"
