//! Lines of /proc/net/tcp and tcp6, as kernels write them.

use super::port_of;

#[test]
fn only_sockets_that_listen_have_their_port_told() {
    for (line, expected) in [
        (
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1",
            Some(8080),
        ),
        (
            "   1: 0100007F:1F90 0100007F:8D02 01 00000000:00000000 00:00000000 00000000  1000        0 2 1",
            None,
        ),
        (
            "   0: 00000000000000000000000001000000:1435 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 3",
            Some(5173),
        ),
        ("", None),
        ("nonsense", None),
        ("   0: 0100007F:XYZ 00000000:0000 0A", None),
    ] {
        assert_eq!(port_of(line), expected, "{line}");
    }
}
