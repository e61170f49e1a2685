//! The compiled filter does what the list says, for every number and both architectures.

use super::*;

/// What the kernel would do: interprets the program.
fn judge(program: &[Instruction], architecture: u32, number: u32, arguments: [u32; 3]) -> u32 {
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let Instruction { code, if_true, if_false, operand } = program[at];
        at += 1;
        let branch = |taken: bool| usize::from(if taken { if_true } else { if_false });
        match code {
            LOAD => {
                accumulator = match operand {
                    AT_NUMBER => number,
                    AT_ARCHITECTURE => architecture,
                    AT_ARGUMENT_0 => arguments[0],
                    AT_ARGUMENT_1 => arguments[1],
                    AT_ARGUMENT_2 => arguments[2],
                    other => panic!("load of {other}"),
                }
            }
            JUMP => at += operand as usize,
            JUMP_IF_EQUAL => at += branch(accumulator == operand),
            JUMP_IF_AT_LEAST => at += branch(accumulator >= operand),
            JUMP_IF_ANY_BIT => at += branch(accumulator & operand != 0),
            RETURN => return operand,
            other => panic!("code {other:#x}"),
        }
    }
}

const SEEN_BY_ARGUMENT: [i64; 5] =
    [libc::SYS_clone, libc::SYS_socket, libc::SYS_socketpair, libc::SYS_ioctl, libc::SYS_personality];

#[test]
fn the_tree_says_what_the_list_says_for_every_number() {
    let program = program();
    for number in 0..2048 {
        if SEEN_BY_ARGUMENT.contains(&i64::from(number)) {
            continue;
        }
        let expected = if number > list::NEWEST || i64::from(number) == libc::SYS_clone3 {
            NOT_IMPLEMENTED
        } else if list::ALLOWED.contains(&i64::from(number)) {
            ALLOW
        } else {
            NOT_PERMITTED
        };
        assert_eq!(judge(&program, X86_64, number, [0; 3]), expected, "number {number}");
    }
}

#[test]
fn other_architectures_are_killed_and_x32_numbers_are_unknown() {
    let program = program();
    for number in 0..2048 {
        assert_eq!(judge(&program, 0x4000_0003, number, [0; 3]), KILL_PROCESS);
        assert_eq!(judge(&program, X86_64, 0x4000_0000 | number, [0; 3]), NOT_IMPLEMENTED);
    }
}

#[test]
fn arguments_decide_about_clone_sockets_terminals_and_personalities() {
    let program = program();
    let judge = |number: i64, arguments| judge(&program, X86_64, u32::try_from(number).unwrap(), arguments);
    let thread = 0x3d_0f00;
    assert_eq!(judge(libc::SYS_clone, [thread, 0, 0]), ALLOW);
    for bit in [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
        assert_eq!(judge(libc::SYS_clone, [thread | bit, 0, 0]), NOT_PERMITTED, "{bit:#x}");
    }
    for (family, protocol, expected) in [
        (1, 0, ALLOW),
        (2, 6, ALLOW),
        (10, 17, ALLOW),
        (16, 0, ALLOW),
        (16, 12, NOT_PERMITTED),
        (17, 0, NOT_PERMITTED),
        (40, 0, NOT_PERMITTED),
    ] {
        assert_eq!(judge(libc::SYS_socket, [family, 1, protocol]), expected, "family {family}");
    }
    assert_eq!(judge(libc::SYS_socketpair, [1, 1, 0]), ALLOW);
    assert_eq!(judge(libc::SYS_socketpair, [2, 1, 0]), NOT_PERMITTED);
    assert_eq!(judge(libc::SYS_ioctl, [0, 0x5413, 0]), ALLOW);
    assert_eq!(judge(libc::SYS_ioctl, [0, 0x5412, 0]), NOT_PERMITTED);
    assert_eq!(judge(libc::SYS_ioctl, [0, 0x541c, 0]), NOT_PERMITTED);
    assert_eq!(judge(libc::SYS_personality, [0xffff_ffff, 0, 0]), ALLOW);
    assert_eq!(judge(libc::SYS_personality, [0x40_0000, 0, 0]), NOT_PERMITTED);
}
