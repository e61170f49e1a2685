//! Codes of what goes out of sandboxes and what comes in.

super::codes! {
    "egress_not_allowed" Denied: "The sandbox may not reach that host.",
        "It is not on the sandbox's list of allowed hosts; without a list nothing is.",
        "journeyman box egress SANDBOX --allow HOST:443";
    "egress_port_not_allowed" Denied: "The sandbox may reach that host, but not at that port.",
        "A rule without a port is for 80 and 443.",
        "allow HOST:PORT, as for egress_not_allowed";
    "egress_denied" Denied: "A rule excludes that host, whatever else is allowed.",
        "The sandbox's owner or the server's administrator denied it.",
        "do without it, or change the rule (docs/EGRESS.md)";
    "egress_address_not_public" Denied: "The host has an address that is not public.",
        "Private, loopback and link-local addresses are closed, whatever name leads to them.",
        "the administrator lists host and range in config.toml: [[egress.private]]";
    "egress_own_address" Denied: "The host's address is this server's own.",
        "A sandbox does not reach the server that it runs on.",
        "the administrator can list it in config.toml: [[egress.private]]";
    "egress_metadata" Denied: "That address tells machines their cloud credentials.",
        "No rule opens it.",
        "do without it";
    "egress_bad_request" Usage: "The request is not one that the way out takes.",
        "It could be read in two ways, or is no request to a proxy.",
        "use it as HTTP_PROXY and HTTPS_PROXY, with HTTP/1.1";
    "egress_too_many_connections" Limit: "The sandbox has too many connections open.",
        "Each sandbox may have 256 at once.",
        "close some, or wait for them to end";
    "egress_unresolved" Unreachable: "The host's name cannot be resolved.",
        "The server's resolver does not know it.",
        "check the name";
    "egress_unreachable" Unreachable: "The host cannot be reached.",
        "Nobody answers there, or its certificate is not trusted.",
        "check that the service is up; SSL_CERT_FILE adds an authority of your own";
    "egress_timed_out" Unreachable: "The host did not answer in time.",
        "It is down, or far too slow.",
        "try again";
    "preview_not_found" NotFound: "There is no such preview.",
        "The id is wrong, or the preview has expired or was revoked.",
        "journeyman box preview SANDBOX";
    "preview_link_needed" Denied: "This preview opens with its link alone.",
        "The link is missing, was revoked, or has expired.",
        "journeyman box preview SANDBOX PORT makes a new one";
    "no_gateway" Conflict: "This process serves no previews.",
        "Previews are served beside the API's port, which only a server has.",
        "journeyman up";
    "no_server" Unreachable: "Nothing listens on that port of the sandbox.",
        "The server inside is not started, or listens elsewhere.",
        "journeyman box exec SANDBOX -- ss -ltn";
    "sandbox_starting" Conflict: "The sandbox comes up.",
        "It was made or woken a moment ago.",
        "try again in a second";
    "sandbox_expired" Conflict: "The sandbox's time was up.",
        "It was archived; its files are in its last snapshot.",
        "journeyman box resume SANDBOX";
}
