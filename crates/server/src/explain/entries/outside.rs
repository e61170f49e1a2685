//! Codes of what lies outside: models, sandboxes, this machine.

super::codes! {
    "no_model" Usage: "No model is chosen.",
        "Neither --model nor JOURNEYMAN_MODEL names one, and none is the default.",
        "journeyman connect, or try it without one: journeyman demo";
    "key_not_with_owner" Conflict: "The provider's key is in your environment, but not with the server.",
        "The server that owns the data folder was started without it; keys do not travel with commands.",
        "store it: printenv KEY | journeyman connect PROVIDER, or stop the server and start it with the key";
    "store_unavailable" Internal: "The database cannot be opened.",
        "SQLite: the file is damaged, locked or not writable. Postgres: the server does not answer or refuses.",
        "look at the reason; docs/CONFIG.md has the settings of both";
    "master_key" Internal: "The master key of the data folder cannot be used.",
        "The file master.key is missing its owner's rights, is of the wrong length, or cannot be read.",
        "chmod 600 master.key, or put the right one back; stored provider keys need it";
    "sandbox_unsupported" Internal: "This machine cannot isolate a sandbox.",
        "The kernel or the container that Journeyman runs in lacks or forbids what isolation needs.",
        "journeyman doctor";
    "sandbox_unavailable" Internal: "A sandbox could not be had.",
        "The kernel or this machine's limits forbid it.",
        "journeyman doctor";
    "sandbox_failed" RunFailed: "The sandbox did not do what it should.",
        "The reason says what it was doing.",
        "journeyman doctor, then journeyman continue RUN \"…\"";
    "sandbox_gone" RunFailed: "The sandbox was lost.",
        "It ran out of memory or time, or was killed. The files are kept; a new one goes on with them.",
        "if it happens again: a command needs more memory than the sandbox has (sandbox.memory_mib in config.toml)";
    "local_server_missing" Unreachable: "The model server does not answer on this machine.",
        "It is not started, or listens at another port than usual.",
        "start it, or connect it by its URL: journeyman connect http://127.0.0.1:PORT/v1 --no-key";
    "key_not_found" NotFound: "There is no stored key of this provider.",
        "It was never stored, was forgotten, or comes from the environment.",
        "journeyman connect PROVIDER";
    "model_not_configured" Usage: "The model cannot be used as things are.",
        "Its provider is not known, or has no key.",
        "journeyman connect PROVIDER";
    "model_auth" RunFailed: "The provider refused the key.",
        "It is misspelt, expired, revoked, or may not use this model.",
        "journeyman connect PROVIDER with a key that works";
    "no_such_model" RunFailed: "The provider has no such model.",
        "The name is misspelt, or the key may not see it.",
        "journeyman model list";
    "model_unknown" RunFailed: "The provider has no such model.",
        "The name is misspelt, or the key may not see it.",
        "journeyman model list";
    "model_without_tools" RunFailed: "The model cannot call tools.",
        "An agent works through tools.",
        "choose a model that can: journeyman model test NAME tells";
    "no_tools" RunFailed: "The model cannot call tools.",
        "An agent works through tools.",
        "choose a model that can: journeyman model test NAME tells";
    "model_rate_limited" Limit: "The provider limits how often it may be asked.",
        "Too many requests or tokens in a short time. The run sleeps and tries again by itself.",
        "wait, or raise the limit with the provider";
    "model_overloaded" Limit: "The provider is overloaded.",
        "It says so itself. The run sleeps and tries again by itself.",
        "wait, or choose another model";
    "model_unreachable" RunFailed: "The provider cannot be reached.",
        "No network, a wrong address, a proxy or certificate that does not fit, or the server is not running.",
        "check OPENAI_BASE_URL and its likes, HTTPS_PROXY and SSL_CERT_FILE; then journeyman continue RUN \"…\"";
    "model_refused" RunFailed: "The model refused to go on.",
        "It, or its provider's filter, does not want to do this.",
        "state the goal in other words, or choose another model";
    "model_rejected_request" RunFailed: "The provider refused the request.",
        "Its words say why; often the model or the address is not what it seems.",
        "journeyman model test NAME";
    "model_bad_answer" RunFailed: "The provider's answer was not understood.",
        "It does not speak the wire that the model's name says, or stumbled.",
        "is the base URL right? journeyman model test NAME";
    "model_cancelled" Conflict: "The model call was cancelled.",
        "Whoever asked went away.",
        "ask again";
    "model_retried" Ok: "The model was asked once more.",
        "Its first answer was cut off or could not be used.",
        "nothing";
    "context_overflow" RunFailed: "The conversation is longer than the model's window.",
        "Even the summary of older turns and the newest turn do not fit.",
        "choose a model with a larger window, or split the goal";
    "off_script" RunFailed: "The script was asked for something that is not in it.",
        "A scripted model plays its own story only.",
        "journeyman connect adds a model that can think";
}
