//! Codes of runs, questions, repositories and what they produce.

super::codes! {
    "run_not_found" NotFound: "There is no such run.",
        "The number or id is wrong, or the run was deleted.",
        "journeyman run list";
    "run_ambiguous" Usage: "Several projects have a run with this number.",
        "Runs are numbered per project.",
        "name the run by its id: journeyman run list --json";
    "no_runs" NotFound: "There are no runs yet.",
        "Nothing was asked for in this data folder.",
        "journeyman do \"…\" --repo .";
    "question_not_found" NotFound: "There is no such question.",
        "The run asks nothing, or the id is wrong.",
        "journeyman run show RUN";
    "no_question" Conflict: "The run asks nothing.",
        "Somebody else answered, or it never asked.",
        "journeyman watch RUN";
    "question_answered" Conflict: "Somebody else has answered already.",
        "The first answer counts; yours was not used.",
        "journeyman watch RUN";
    "question_void" Conflict: "The run that asked has ended.",
        "It was stopped or reached a limit before the answer came.",
        "journeyman run show RUN";
    "wrong_answer" Usage: "The answer does not fit the question.",
        "An approval wants yes or no, a decision wants words.",
        "journeyman approve RUN, journeyman refuse RUN \"WHY\", or journeyman answer RUN \"TEXT\"";
    "wrong_state" Conflict: "The run's state does not allow that.",
        "It has ended, or is already where you want it.",
        "journeyman run show RUN";
    "conflict" Conflict: "Somebody changed it at the same time.",
        "Two writers met; yours was not used.",
        "look again and repeat the command if it is still wanted";
    "idempotency_conflict" Conflict: "An idempotency key was used for two different requests.",
        "A key names one request; repeating it repeats the answer.",
        "use a new key";
    "artifact_not_found" NotFound: "There is no such artifact.",
        "The id is wrong, or its run was deleted.",
        "journeyman artifact list RUN";
    "project_not_found" NotFound: "There is no such project.",
        "The slug or id is wrong.",
        "journeyman project list";
    "rule_not_found" NotFound: "There is no such rule.",
        "It was removed, or belongs to another project.",
        "journeyman rule list";
    "invalid" Usage: "A value cannot be used as it was given.",
        "The message names the field and what is wrong with it.",
        "see journeyman help COMMAND";
    "not_a_repository" Usage: "The folder is no git repository.",
        "Journeyman works on a clone of a commit, so it needs a repository.",
        "git init && git add -A && git commit -m start";
    "repository_empty" Usage: "The repository has no commit.",
        "Journeyman starts from a commit.",
        "git add -A && git commit -m start";
    "repository_unreadable" Usage: "The repository cannot be read.",
        "Its files belong to somebody else or are damaged, or it is of an unknown format.",
        "git -C PATH fsck tells more";
    "repository_bare" Conflict: "The repository is bare: it has no working tree to write to.",
        "--apply and journeyman apply write files into a working tree.",
        "take the branch instead; it is in the repository";
    "no_result" Conflict: "The run has no result yet.",
        "It is still working, failed before it changed anything, or changed nothing.",
        "journeyman watch RUN";
    "would_overwrite" Conflict: "Writing the result would overwrite uncommitted work.",
        "Files that the run changed have changes of yours that are not committed.",
        "commit or stash them, then: journeyman apply RUN; the branch has the result meanwhile";
    "base_moved" Conflict: "The working tree has moved on, and the result does not fit it.",
        "The same lines were changed since the run began.",
        "merge the branch: git merge BRANCH";
    "too_large_to_apply" Conflict: "The changed files are too large to be written by us.",
        "They are compared in memory, at most 256 MiB of them.",
        "merge the branch instead: git merge BRANCH";
    "no_patch" Ok: "No patch of the result was kept; its branch has everything.",
        "The patch would be larger than 64 MiB, or git ran out of memory on it.",
        "git diff BASE BRANCH in the repository";
    "unsafe_path" Conflict: "A path of the result cannot be written safely.",
        "It leads through a link out of the repository, or into .git.",
        "look at the branch and take what you want by hand";
    "delivery_failed" Internal: "The result could not be taken over from the sandbox.",
        "It is too large, or git found its objects damaged.",
        "journeyman continue RUN \"…\", or take the patch: journeyman artifact list RUN";
    "uncommitted_changes" Ok: "Uncommitted changes were left out.",
        "A run starts from the last commit.",
        "take them along with --dirty";
    "nested_repository" Ok: "A repository inside the repository was left out.",
        "--dirty takes uncommitted files along; a git repository of its own among them is not part of this one.",
        "add it as a submodule, or remove its .git to take its files along";
    "submodules_empty" Ok: "Submodules are empty in the sandbox.",
        "Their content comes from other repositories, which a sandbox cannot reach.",
        "nothing, unless the work needs them";
    "lfs_pointers" Ok: "Files of Git LFS are pointers in the sandbox.",
        "Their content lies on a server, which a sandbox cannot reach.",
        "nothing, unless the work needs them";
    "check_failed" RunFailed: "The check command failed after the agent's last change.",
        "Success needs evidence; the agent could not make the check pass.",
        "journeyman diff RUN shows how far it came; journeyman continue RUN \"…\" goes on";
    "repetition" RunFailed: "The agent went in circles.",
        "The same call with the same result again and again leads nowhere; first it is told so, then the run ends.",
        "journeyman continue RUN \"…\" with a hint that shows another way";
    "no_progress" RunFailed: "Call after call went wrong.",
        "The agent could not find a way, or the model cannot use the tools well.",
        "read the last steps, then journeyman continue RUN \"…\" with a hint, or try another model";
    "empty_answer" Ok: "The model answered nothing and was asked again.",
        "Models do that now and then.",
        "nothing; if it happens often, try another model";
    "empty_answers" RunFailed: "The model answered nothing again and again.",
        "It may not be able to call tools, or its provider cuts it short.",
        "journeyman model test NAME, or try another model";
    "output_limit" Ok: "The model's answer reached its output limit.",
        "It was asked to go on in smaller steps; the run ends where that happens again and again.",
        "nothing; if it happens often, ask for smaller pieces of work";
    "answer_too_late" Ok: "An answer came after the run had gone on.",
        "The question was answered otherwise or was no longer open.",
        "journeyman steer RUN \"…\" tells the agent anything else";
    "nobody_to_ask" Ok: "The agent would have asked, and nobody was there.",
        "The run was started without a server and without a terminal, so policy answered.",
        "start it with a server (journeyman up) to be asked";
    "paused" NeedsYou: "Somebody paused the run.",
        "A person did, or Ctrl-C on the command that worked on it.",
        "journeyman resume RUN";
    "stopped" RunFailed: "Somebody stopped the run for good.",
        "A person did.",
        "journeyman continue RUN \"…\" takes it up again";
    "stopped_by_person" RunFailed: "Somebody stopped the run for good.",
        "A person did, while it worked.",
        "journeyman continue RUN \"…\" takes it up again";
    "cancelled" RunFailed: "The run was stopped in the middle of a model's answer.",
        "A person did.",
        "journeyman continue RUN \"…\" takes it up again";
    "worker_lost" Ok: "Another worker has taken the run over.",
        "The lease of the first one ran out.",
        "nothing";
    "check_found" Ok: "The check command was found in the repository.",
        "Nobody gave one, so what the repository's own files name is run before success is claimed.",
        "give another with --check, or name it in AGENTS.md: Check command: `…`";
    "check_not_run" Ok: "The check command that was found cannot be run in the sandbox.",
        "A program that it needs is missing there, or it needs the network.",
        "give one that can with --check, or let the sandbox see what it lacks with --include";
    "no_check" Ok: "The project has no check command that could be found.",
        "Nobody but the agent checks the result then.",
        "name one: --check COMMAND, or write it into AGENTS.md";
    "price_unknown" Usage: "The model's price is not known, so a cost limit cannot be held.",
        "It stands neither in the price table nor in config.toml.",
        "set --max-tokens as well, or add the price: [prices.\"provider/model\"] in config.toml";
    "invalid_request" Usage: "The request cannot be used as it is.",
        "The message names the field and what is wrong with it.",
        "see journeyman help COMMAND, or /docs/api";
    "not_a_folder" Usage: "The path is no folder.",
        "A project is a folder with a repository in it.",
        "name the repository's folder";
    "turn_limit" Limit: "The run has used all its turns.",
        "A ceiling (--max-turns, or limits.max_turns in config.toml) was reached.",
        "journeyman continue RUN \"…\" goes on with new ceilings";
    "tool_call_limit" Limit: "The run has used all its tool calls.",
        "A ceiling (--max-tool-calls) was reached.",
        "journeyman continue RUN \"…\" goes on with new ceilings";
    "cost_limit" Limit: "The run has used all its money.",
        "A ceiling (--max-cost) was reached.",
        "journeyman continue RUN \"…\" goes on with new ceilings";
    "token_limit" Limit: "The run has used all its tokens.",
        "A ceiling (--max-tokens) was reached.",
        "journeyman continue RUN \"…\" goes on with new ceilings";
    "time_limit" Limit: "The run has used all its time.",
        "A ceiling (--max-minutes) was reached.",
        "journeyman continue RUN \"…\" goes on with new ceilings";
    "run_failed" RunFailed: "The run ended without reaching its goal.",
        "The reason that it names says more.",
        "journeyman watch RUN shows what happened";
}
