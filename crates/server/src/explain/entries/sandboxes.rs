//! Codes of sandboxes, templates and snapshots.

super::codes! {
    "sandbox_not_found" NotFound: "There is no such sandbox.",
        "The id is wrong, or the sandbox was deleted, also because its time was up.",
        "journeyman box list";
    "template_not_found" NotFound: "There is no such template.",
        "The name or its version is wrong.",
        "journeyman box templates";
    "snapshot_not_found" NotFound: "There is no such snapshot.",
        "The id is wrong, or the snapshot was removed.",
        "journeyman box snapshots";
    "sandbox_asleep" Conflict: "The sandbox rests, and this does not wake it.",
        "It was paused, stopped or archived; looking at a sandbox never wakes it.",
        "journeyman box resume SANDBOX";
    "sandbox_suspended" Conflict: "The sandbox was taken out of use because of what it did.",
        "It broke a rule that guards the machine; the message names it.",
        "ask who looks after this server, or delete it: journeyman box rm SANDBOX";
    "sandbox_quota" Limit: "The organisation has as many sandboxes as it may have.",
        "Each organisation may have so many running at once.",
        "delete or pause those that are not needed: journeyman box list";
    "sandbox_rate" Limit: "Too many sandboxes were asked for in a short time.",
        "Making sandboxes is limited per organisation and person.",
        "try again in a moment";
    "sandbox_state" Conflict: "The sandbox's state does not allow that.",
        "It is changing, failed, or is already where you want it.",
        "journeyman box show SANDBOX";
    "sandbox_full" Limit: "The sandbox is at one of its limits.",
        "It has as many processes as it may have.",
        "end some of its processes, or make one with more: resources.processes";
    "sandbox_cannot" Usage: "This kind of sandbox cannot do that.",
        "Its provider does not offer it on this machine.",
        "journeyman doctor tells what works here";
    "file_not_found" NotFound: "There is no such file in the sandbox.",
        "The path is wrong; relative paths are relative to /workspace.",
        "journeyman box exec SANDBOX -- ls -la";
    "file_denied" Denied: "The sandbox's user may not do that with the file.",
        "It belongs to somebody else inside, or is read-only.",
        "write below /workspace or /home/user";
    "file_too_large" Usage: "The file is larger than what is allowed.",
        "A limit on the size of files was reached.",
        "split the file, or raise the limit";
    "file_fault" Conflict: "The file could not be used that way.",
        "It is a folder where a file is needed, the other way round, or it exists already.",
        "look at it first: journeyman box exec SANDBOX -- ls -la";
    "command_not_started" Usage: "The command could not be started in the sandbox.",
        "There is no such program inside, or it may not be run.",
        "journeyman box exec SANDBOX -- which PROGRAM";
    "process_not_found" NotFound: "There is no such process in the sandbox.",
        "It has ended, or the number is wrong.",
        "journeyman box exec SANDBOX -- ps";
    "port_not_found" NotFound: "Nothing listens on that port of the sandbox.",
        "The server inside has not started, ended, or listens elsewhere.",
        "start it, then try again";
    "port_in_use" Conflict: "Something in the sandbox listens on that port already.",
        "A port has one listener.",
        "use another port";
    "copy_unclear" Usage: "One side of a copy is a sandbox, the other is not.",
        "journeyman box cp copies between this machine and one sandbox.",
        "journeyman box cp FILE SANDBOX:PATH, or journeyman box cp SANDBOX:PATH FILE";
}
