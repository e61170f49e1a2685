# Makes /workspace a clean clone of commit $1, without the source's configuration, hooks, other branches
# and unreachable objects. Runs in a sandbox, with GIT_DIR set to the source.
# $1 commit, $2 branch name or empty, $3 object format, $4 user name, $5 user email, $6 "dirty" or empty
set -eu
commit=$1
new=/workspace/.git
mkdir -p $new/objects/pack $new/objects/info $new/info $new/refs/heads $new/refs/tags
{
  if [ "$3" = sha256 ]; then
    printf '[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tobjectFormat = sha256\n'
  else
    printf '[core]\n\trepositoryFormatVersion = 0\n'
  fi
  # The clone is seen through an overlay, where inode and change time differ from what the index recorded.
  printf '[core]\n\tbare = false\n\tfileMode = true\n\tlogAllRefUpdates = true\n\tcheckStat = minimal\n\ttrustCTime = false\n'
  printf '[gc]\n\tauto = 0\n[user]\n\tname = "%s"\n\temail = "%s"\n' "$4" "$5"
} >$new/config
# The source is read-only: whatever git writes goes into the clone, what it reads comes from both.
export GIT_OBJECT_DIRECTORY=$new/objects
export GIT_ALTERNATE_OBJECT_DIRECTORIES="$GIT_COMMON_DIR/objects${GIT_ALTERNATE_OBJECT_DIRECTORIES:+:$GIT_ALTERNATE_OBJECT_DIRECTORIES}"
if [ "${6:-}" = dirty ]; then
  # The working tree as it stands becomes one commit on top; its objects go straight into the clone.
  export GIT_INDEX_FILE=/tmp/base-index
  git read-tree HEAD
  # Repositories inside it that this one does not know are left out: as links to commits that exist nowhere else
  # their content would be lost, and one without commits cannot be added at all.
  cd "$GIT_WORK_TREE"
  nested=$(find . -mindepth 2 -name .git -prune -print 2>/dev/null | sed 's|^\./||; s|/\.git$||' | head -n 1000)
  newline='
'
  IFS=$newline
  folders=
  for folder in $nested; do
    case $(git ls-files --stage -- ":(top,literal)$folder") in 160000*) continue ;; esac
    git check-ignore --quiet -- "$folder" && continue
    folders="$folders$folder$newline"
    echo "left-out=$folder"
  done
  (
    set --
    for folder in $folders; do set -- "$@" ":(exclude,top,literal)$folder"; done
    unset IFS
    git add --all -- . "$@"
  )
  unset IFS
  tree=$(git write-tree)
  if [ "$tree" != "$(git rev-parse 'HEAD^{tree}')" ]; then
    commit=$(GIT_AUTHOR_NAME="$4" GIT_AUTHOR_EMAIL="$5" GIT_COMMITTER_NAME="$4" GIT_COMMITTER_EMAIL="$5" \
      git commit-tree "$tree" -p "$commit" -m "Uncommitted changes at the start of the run")
  fi
  unset GIT_INDEX_FILE
fi
echo "$commit" | git pack-objects --quiet --revs --delta-base-offset $new/objects/pack/pack >/dev/null
[ ! -s "$GIT_COMMON_DIR/shallow" ] || cp "$GIT_COMMON_DIR/shallow" $new/shallow
if [ -n "$2" ]; then
  case $2 in */*) mkdir -p "$new/refs/heads/${2%/*}" ;; esac
  echo "$commit" >"$new/refs/heads/$2"
  echo "ref: refs/heads/$2" >$new/HEAD
else
  echo "$commit" >$new/HEAD
fi
unset GIT_DIR GIT_COMMON_DIR GIT_WORK_TREE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
git -C /workspace read-tree -u --reset HEAD
echo "commit=$commit"
