//! The filter of system calls: an allow list, compiled to a balanced search over ranges of numbers.
//!
//! What is not on the list gives EPERM; what the list's time did not know (and the x32 numbers) gives ENOSYS,
//! as does clone3, whose arguments a filter cannot see; a call of another architecture kills the process.

mod list;

#[cfg(test)]
mod tests;

use nix::libc;

/// One instruction of classic BPF.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    operand: u32,
}

impl Instruction {
    /// As the kernel reads it.
    pub(super) fn bytes(self) -> [u8; 8] {
        let ([a, b], [c, d, e, f]) = (self.code.to_ne_bytes(), self.operand.to_ne_bytes());
        [a, b, self.if_true, self.if_false, c, d, e, f]
    }
}

const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const JUMP_IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;
const NOT_PERMITTED: u32 = ERRNO | libc::EPERM as u32;
const NOT_IMPLEMENTED: u32 = ERRNO | libc::ENOSYS as u32;

const X86_64: u32 = 0xc000_003e;

/// Offsets in `struct seccomp_data`; of the arguments the lower half, as the machine is little-endian.
const AT_NUMBER: u32 = 0;
const AT_ARCHITECTURE: u32 = 4;
const AT_ARGUMENT_0: u32 = 16;
const AT_ARGUMENT_1: u32 = 24;
const AT_ARGUMENT_2: u32 = 32;

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. (CLONE_NEWTIME has the place of the exit
/// signal and means nothing to clone.)
const NEW_NAMESPACES: u32 = 0x7e02_0000;

/// What happens to one number.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Return(u32),
    Look(Vec<Instruction>),
}

/// The filter.
pub(super) fn program() -> Vec<Instruction> {
    let mut program =
        vec![load(AT_ARCHITECTURE), jump(JUMP_IF_EQUAL, X86_64, 1, 0), give(KILL_PROCESS), load(AT_NUMBER)];
    program.extend(search(&ranges()));
    program
}

/// The verdicts as ranges: each begins at its number and ends where the next begins.
fn ranges() -> Vec<(u32, Verdict)> {
    let mut ranges: Vec<(u32, Verdict)> = Vec::new();
    for number in 0..=list::NEWEST {
        let verdict = verdict(number);
        if ranges.last().is_none_or(|(_, last)| *last != verdict) {
            ranges.push((number, verdict));
        }
    }
    ranges.push((list::NEWEST + 1, Verdict::Return(NOT_IMPLEMENTED)));
    ranges
}

fn verdict(number: u32) -> Verdict {
    match i64::from(number) {
        libc::SYS_clone3 => Verdict::Return(NOT_IMPLEMENTED),
        libc::SYS_clone => Verdict::Look(vec![
            load(AT_ARGUMENT_0),
            jump(JUMP_IF_ANY_BIT, NEW_NAMESPACES, 0, 1),
            give(NOT_PERMITTED),
            give(ALLOW),
        ]),
        libc::SYS_socket => socket(),
        libc::SYS_socketpair => argument_is(AT_ARGUMENT_0, &[1], ALLOW, NOT_PERMITTED),
        // TIOCSTI and TIOCLINUX put words into a terminal's mouth.
        libc::SYS_ioctl => argument_is(AT_ARGUMENT_1, &[0x5412, 0x541c], NOT_PERMITTED, ALLOW),
        libc::SYS_personality => argument_is(AT_ARGUMENT_0, &list::PERSONALITIES, ALLOW, NOT_PERMITTED),
        known if list::ALLOWED.contains(&known) => Verdict::Return(ALLOW),
        _ => Verdict::Return(NOT_PERMITTED),
    }
}

/// Unix, IPv4 and IPv6 sockets, and the route protocol of netlink, which lists interfaces.
fn socket() -> Verdict {
    Verdict::Look(vec![
        load(AT_ARGUMENT_0),
        jump(JUMP_IF_EQUAL, 1, 5, 0),
        jump(JUMP_IF_EQUAL, 2, 4, 0),
        jump(JUMP_IF_EQUAL, 10, 3, 0),
        jump(JUMP_IF_EQUAL, 16, 0, 3),
        load(AT_ARGUMENT_2),
        jump(JUMP_IF_EQUAL, 0, 0, 1),
        give(ALLOW),
        give(NOT_PERMITTED),
    ])
}

/// `hit` where the argument is one of `values`, else `miss`.
fn argument_is(argument: u32, values: &[u32], hit: u32, miss: u32) -> Verdict {
    let mut look = vec![load(argument)];
    for (place, value) in values.iter().enumerate() {
        let to_hit = u8::try_from(values.len() - place).unwrap_or(u8::MAX);
        look.push(jump(JUMP_IF_EQUAL, *value, to_hit, 0));
    }
    look.extend([give(miss), give(hit)]);
    Verdict::Look(look)
}

/// A search tree; the number lies in the accumulator.
fn search(ranges: &[(u32, Verdict)]) -> Vec<Instruction> {
    let (low, high) = match ranges {
        [] => return vec![give(NOT_PERMITTED)],
        [(_, Verdict::Return(value))] => return vec![give(*value)],
        [(_, Verdict::Look(look))] => return look.clone(),
        _ => ranges.split_at(ranges.len() / 2),
    };
    let first_of_high = high.first().map_or(u32::MAX, |(number, _)| *number);
    let (low, high) = (search(low), search(high));
    let mut program = match u8::try_from(low.len()) {
        Ok(over_low) => vec![jump(JUMP_IF_AT_LEAST, first_of_high, over_low, 0)],
        // Too far for a conditional jump.
        Err(_) => vec![
            jump(JUMP_IF_AT_LEAST, first_of_high, 0, 1),
            jump(JUMP, u32::try_from(low.len()).unwrap_or(u32::MAX), 0, 0),
        ],
    };
    program.extend(low);
    program.extend(high);
    program
}

const fn load(offset: u32) -> Instruction {
    Instruction { code: LOAD, if_true: 0, if_false: 0, operand: offset }
}

const fn jump(code: u16, operand: u32, if_true: u8, if_false: u8) -> Instruction {
    Instruction { code, if_true, if_false, operand }
}

const fn give(value: u32) -> Instruction {
    Instruction { code: RETURN, if_true: 0, if_false: 0, operand: value }
}
