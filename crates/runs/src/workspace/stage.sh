# Puts everything in /workspace into the index $GIT_INDEX_FILE. Repositories inside the working copy (an agent ran
# `git init`, or unpacked one) go in as files: as links to commits that exist nowhere else their content would be
# lost. Files that cannot be read are left out. Needs GIT_DIR and the rest of the environment of our own commands.
stage() {
  cd /workspace
  nested=$(find . -mindepth 2 -name .git -prune -print 2>/dev/null | sed 's|^\./||; s|/\.git$||' | head -n 1000)
  if [ -z "$nested" ]; then
    git add --all --ignore-errors || [ $? -eq 1 ]
    return
  fi
  newline='
'
  set --
  IFS=$newline
  for folder in $nested; do set -- "$@" ":(exclude,top,literal)$folder"; done
  unset IFS
  git add --all --ignore-errors -- . "$@" || [ $? -eq 1 ]
  for pattern in "$@"; do
    folder=${pattern#*literal)}
    git check-ignore --quiet -- "$folder" && continue
    find "$folder" -name .git -prune -o \( -type f -o -type l \) -print0 2>/dev/null | git update-index --add -z --stdin
  done
}
