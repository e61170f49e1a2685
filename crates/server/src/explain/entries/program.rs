//! Codes of the program: data folder, server, command line, access.

super::codes! {
    "internal" Internal: "Something went wrong on Journeyman's side.",
        "A fault in Journeyman, or a machine that does not do what it should.",
        "run again with --log debug; what it prints belongs into a report";
    "usage" Usage: "The command line does not fit any command.",
        "A command, an argument or a value is missing, misspelt, or not allowed together with another.",
        "journeyman help, or journeyman help COMMAND";
    "disk_full" Internal: "A disk is full; nothing that was acknowledged is lost.",
        "Rows, workspaces and kept files need room; runs sleep until there is some.",
        "free some space, or delete old runs: journeyman run delete RUN";
    "disk_broken" Internal: "The disk that holds the data folder does not work; nothing that was acknowledged is lost.",
        "It answers reads or writes with errors. Nothing is acknowledged that it did not keep.",
        "see what dmesg says of it, mend or replace it, then start the server again: journeyman up";
    "data_folder_unknown" Usage: "There is no place for the data folder.",
        "Neither --data, JOURNEYMAN_DATA, XDG_DATA_HOME nor HOME names one.",
        "name one: --data DIR";
    "data_folder_unusable" Internal: "The data folder cannot be read or written.",
        "It is not a folder, it belongs to somebody else, or its file system is read-only or broken.",
        "name another: --data DIR";
    "data_folder_foreign" Denied: "The data folder belongs to another user.",
        "Keys and code lie in it; two users cannot share one.",
        "name one of your own: --data DIR";
    "data_folder_owned" Conflict: "Another process owns this data folder.",
        "One process at a time owns a data folder; commands talk to the one that does.",
        "use the server that runs, stop it first, or name another folder: --data DIR";
    "runtime_folder_unusable" Internal: "There is no place for the owner's socket.",
        "XDG_RUNTIME_DIR and /tmp/journeyman-<uid> cannot be used: not yours, or not writable.",
        "set XDG_RUNTIME_DIR to a folder of yours with a short path";
    "config_invalid" Usage: "The configuration does not read.",
        "config.toml or a variable of the environment holds something that is not understood.",
        "mend the line that is named; docs/CONFIG.md lists every setting";
    "server_unreachable" Unreachable: "The server cannot be reached.",
        "It is starting, stopping, overloaded, or was killed. Nothing that was acknowledged is lost.",
        "try again; start it with: journeyman up";
    "server_needed" Unreachable: "This needs a server that goes on when the command has returned.",
        "No process owns the data folder, so nobody would work on the run.",
        "journeyman up      then run this again";
    "port_taken" Conflict: "Another program listens at the wanted address.",
        "An address that is asked for by name is taken as it is or not at all.",
        "name another with --listen, or leave it out: the next free port is taken";
    "listen_failed" Internal: "The server could not listen at the wanted address.",
        "The address is not one of this machine's, or its port needs more rights.",
        "name another with --listen";
    "listen_needs_password" Denied: "The server will not listen beyond this machine.",
        "Whoever reaches its port could run commands in your sandboxes, and there is neither a password nor TLS yet.",
        "listen on 127.0.0.1 and go through ssh: ssh -L 4000:127.0.0.1:4000 HOST";
    "bad_path" Usage: "The text is not a path of the API.",
        "A path begins with a slash: /v1/runs.",
        "journeyman api GET /v1/openapi.json lists them";
    "bad_answer" Internal: "The server's answer was not understood.",
        "Command and server are of different versions.",
        "restart the server with the version that you have installed: journeyman up";
    "bad_input" Usage: "An argument or what came on standard input cannot be used.",
        "It is empty, not UTF-8, or not of the form that the command wants.",
        "see journeyman help COMMAND";
    "input_needed" Usage: "Something has to be typed, and there is no terminal to ask at.",
        "Journeyman never asks without a terminal, or with --no-input or --json.",
        "give it as an argument or on standard input";
    "unknown_code" NotFound: "There is no such code.",
        "Codes are lower case with underscores; this one is misspelt or from another version.",
        "journeyman explain lists them all";
    "interrupted" Interrupted: "You pressed Ctrl-C.",
        "A run that this command was working on is paused, not lost.",
        "journeyman resume RUN";
    "not_authenticated" Denied: "The request carries no valid credential.",
        "The token or login is missing, unknown, expired, revoked, or a link that was used before.",
        "sign in with the link that journeyman up prints, or make a token: journeyman token create NAME";
    "forbidden" Denied: "The credential may not do that.",
        "It lacks the scope that is named.",
        "make a token that has it: journeyman token create NAME --scope SCOPE";
    "host_not_allowed" Denied: "The request was made to a name that the server does not answer to.",
        "Web pages of others could otherwise reach it through your browser.",
        "use the address that journeyman up prints, or allow the name: names = [\"…\"] in config.toml";
    "origin_not_allowed" Denied: "A web page of another origin made the request.",
        "Only the server's own page may use its login.",
        "programs use a token instead: journeyman token create NAME";
    "not_found" NotFound: "There is no such thing.",
        "The address is wrong, or it was deleted.",
        "journeyman status";
    "no_such_route" NotFound: "The API has no such route.",
        "The path is misspelt or from another version.",
        "the reference lies at /docs/api of the server";
    "method_not_allowed" Usage: "The route does not take this method.",
        "Each route names its methods.",
        "the reference lies at /docs/api of the server";
    "not_json" Usage: "The request's body is not the JSON that the route wants.",
        "It does not parse, misses a field, or has one that is not known.",
        "the reference lies at /docs/api of the server";
    "body_too_large" Usage: "The request's body is too large.",
        "At most 1 MiB is read.",
        "put large text into a file of the repository";
    "idempotency_under_way" Conflict: "The first request with this idempotency key is still under way.",
        "It was sent twice at the same time.",
        "wait for the first answer";
    "ticket_not_valid" Denied: "The link was used before, or is too old.",
        "A link signs one browser in, once, within 15 minutes.",
        "start journeyman up again, or use a token";
    "token_not_found" NotFound: "There is no such token.",
        "The id is wrong, or it was revoked.",
        "journeyman token list";
    "invalid_scope" Usage: "There is no such scope, or you do not have it.",
        "A token can do no more than its maker.",
        "the message names the scope; leave --scope out for all of yours";
    "no_such_stream" NotFound: "There is no such stream of events.",
        "A stream is named run/ and the run's id.",
        "journeyman run list --json shows the ids";
    "epoch_changed" NotFound: "The position belongs to a history that is no longer there.",
        "A backup was restored since.",
        "read from the start";
    "not_a_websocket" Usage: "The route speaks WebSocket only.",
        "The request does not ask for an upgrade.",
        "programs use server-sent events: GET /v1/events?stream=run/ID";
    "stream_gone" NotFound: "The stream can no longer be followed.",
        "Its run was deleted, or the credential ended.",
        "journeyman run list";
    "too_many_streams" Limit: "One connection follows too many streams.",
        "Each costs the server memory.",
        "unsubscribe from some";
}
