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
}
