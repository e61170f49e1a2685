//! What hostile code tries, as small Python programs. Each prints what it got through with, and nothing where all
//! was refused.

/// The calls by number that must be refused, and the words to try them with.
const PRELUDE: &str = r#"
import ctypes, errno, mmap, os, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    answer = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in arguments])
    return answer, ctypes.get_errno()
"#;

/// Name and program.
pub(crate) const PROBES: &[(&str, &str)] = &[
    (
        "dangerous system calls",
        r#"
calls = {'unshare': (272, 0x10000000), 'setns': (308, 0, 0), 'mount': (165, 0, 0, 0, 0, 0), 'umount2': (166, 0, 0),
    'pivot_root': (155, 0, 0), 'chroot': (161, 0), 'ptrace': (101, 0, 0, 0, 0), 'keyctl': (250, 0, 0), 'add_key': (248, 0, 0, 0, 0, 0),
    'bpf': (321, 0, 0, 0), 'perf_event_open': (298, 0, 0, -1, -1, 0), 'userfaultfd': (323, 0), 'io_uring_setup': (425, 1, 0),
    'process_vm_readv': (310, 1, 0, 0, 0, 0, 0), 'open_by_handle_at': (304, 0, 0, 0), 'name_to_handle_at': (303, 0, 0, 0, 0, 0),
    'init_module': (175, 0, 0, 0), 'finit_module': (313, 0, 0, 0), 'kexec_load': (246, 0, 0, 0, 0), 'reboot': (169, 0, 0, 0, 0),
    'swapon': (167, 0, 0), 'sethostname': (170, 0, 0), 'settimeofday': (164, 0, 0), 'open_tree': (428, -100, 0, 1),
    'fsopen': (430, 0, 0), 'move_mount': (429, 0, 0, 0, 0, 0), 'mount_setattr': (442, -100, 0, 0, 0, 0), 'kcmp': (312, 1, 1, 0, 0, 0),
    'quotactl': (179, 0, 0, 0, 0), 'iopl': (172, 3), 'pidfd_getfd': (438, 0, 0, 0), 'syslog': (103, 3, 0, 0)}
for name, (number, *arguments) in calls.items():
    answer, error = call(number, *arguments)
    if (answer, error) != (-1, errno.EPERM): print(name, answer, errno.errorcode.get(error))
for name, number in {'clone3': 435, 'unknown': 1000, 'x32 getpid': 0x40000000 + 39}.items():
    answer, error = call(number, 0, 0)
    if (answer, error) != (-1, errno.ENOSYS): print(name, answer, errno.errorcode.get(error))
answer, error = call(56, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0)
if answer == 0: os._exit(0)
if answer != -1: print('clone with a user namespace')
"#,
    ),
    (
        "calls of 32-bit programs",
        r#"
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes([0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3]))
enter = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
child = os.fork()
if child == 0:
    enter()
    os._exit(7)
status = os.waitpid(child, 0)[1]
if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGSYS, signal.SIGSEGV)): print('int 0x80 came back', status)
"#,
    ),
    (
        "words in a terminal's mouth",
        r#"
import fcntl, pty
master, slave = pty.openpty()
for request in (0x5412, 0x541c, 0x100005412):
    try:
        fcntl.ioctl(slave, request & 0xffffffff, b'x'); print('ioctl', hex(request))
    except OSError as error:
        if error.errno != errno.EPERM: print('ioctl', hex(request), error)
answer, error = call(16, slave, 0x100005412, 0)
if error != errno.EPERM: print('ioctl with high bits', answer, error)
"#,
    ),
    (
        "sockets of rare families",
        r#"
for family in (16, 17, 21, 30, 31, 38, 40, 44):
    for kind, protocol in ((2, 9), (3, 12), (1, 0), (5, 0)):
        if family == 16 and protocol == 0: continue
        try: socket.socket(family, kind, protocol); print('family', family, kind, protocol)
        except OSError: pass
"#,
    ),
    (
        "the host's sockets",
        r#"
for address in ('127.0.0.1', '::1', '0.0.0.0', '::ffff:127.0.0.1', '127.1.2.3', '10.0.2.2', '172.17.0.1', '169.254.169.254'):
    try: socket.create_connection((address, int(os.environ['PORT'])), 2); print('reached', address)
    except OSError: pass
try:
    s = socket.socket(socket.AF_UNIX); s.connect('\0' + os.environ['ABSTRACT']); print('reached the abstract socket')
except OSError: pass
if any(' @' in line for line in open('/proc/net/unix')): print('sees abstract sockets')
"#,
    ),
    (
        "the host's files",
        r#"
import glob
secret = os.environ['SECRET']
ways = [secret, '/proc/1/root' + secret, '/proc/self/root' + secret, '/proc/1/cwd' + secret, '../' * 40 + secret.lstrip('/')]
ways += ['/proc/self/fd/%d/' % fd + '../' * 20 + secret.lstrip('/') for fd in range(20)]
os.symlink(secret, 'link'); ways.append('link')
ways += ['/etc/shadow', '/etc/gshadow', '/root/.ssh/id_rsa', '/proc/kcore', '/proc/kallsyms', '/proc/keys', '/proc/timer_list',
    '/proc/1/environ', '/proc/1/mem', '/proc/1/maps', '/proc/sysrq-trigger', '/dev/mem', '/dev/kmsg', '/dev/sda', '/dev/vda', '/dev/kvm',
    '/dev/fuse', '/dev/loop0', '/dev/loop-control', '/dev/net/tun']
for way in ways:
    try:
        text = open(way, 'rb').read(64)
        if text or way.startswith('/dev/'): print('read', way, text[:20])
    except OSError: pass
for way in ('/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern', '/proc/sys/kernel/hostname', '/sys/kernel/uevent_helper', '/proc/1/oom_score_adj',
    '/proc/irq/default_smp_affinity', '/usr/bin/new', '/etc/passwd', '/etc/ld.so.preload', '/proc/1/mem', '/bin/sh'):
    try: open(way, 'ab'); print('may write', way)
    except OSError: pass
for line in open('/proc/self/mountinfo'):
    before, after = line.split(' - ')
    options = before.split()[5].split(',')
    if secret.rsplit('/', 1)[0] in line: print('shows a path of the host', line)
    if 'nosuid' not in options: print('not nosuid', line)
"#,
    ),
    (
        "powers",
        r#"
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
for name in ('CapEff', 'CapPrm', 'CapInh', 'CapAmb'):
    if int(status[name], 16): print(name, status[name])
if status['NoNewPrivs'].strip() != '1' or status['Seccomp'].strip() != '2': print('no filter')
if 'TRAC' in open('/proc/1/status').read().upper() and call(101, 16, 1, 0, 0)[0] == 0: print('traces process 1')
for number, kind in ((0o020666, (1, 1)), (0o060666, (8, 0)), (0o060666, (7, 0)), (0o020666, (10, 229))):
    try:
        os.mknod('device', number, os.makedev(*kind)); open('device', 'rb').close(); print('device', kind)
    except OSError: pass
try: os.setuid(0); print('became root')
except OSError: pass
"#,
    ),
    (
        "what was inherited",
        r#"
descriptors = [fd for fd in os.listdir('/proc/self/fd') if int(fd) > 2]
for fd in descriptors:
    try: print('descriptor', fd, os.readlink('/proc/self/fd/' + fd))
    except OSError: pass
for name, value in os.environ.items():
    if 'SECRET' in name and name != 'SECRET': print('environment', name)
    if 'hidden-in-the-server' in value: print('environment', name)
"#,
    ),
    (
        "descriptors without end",
        r#"
opened = []
try:
    while len(opened) < 100000: opened.append(os.open('/dev/null', os.O_RDONLY))
    print('opened', len(opened))
except OSError as error:
    if error.errno != errno.EMFILE: print(error)
"#,
    ),
    (
        "temporary files without end",
        r#"
for folder in ('/tmp', '/dev/shm'):
    space = os.statvfs(folder)
    if space.f_blocks * space.f_frsize > 4 << 30 or not 0 < space.f_files <= 1 << 18: print(folder, space)
"#,
    ),
];

/// The whole program of a probe.
pub(crate) fn program(probe: &str) -> String {
    format!("{PRELUDE}{probe}")
}
