//! The kernel's audit switch, over netlink (`include/uapi/linux/audit.h`).

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;

const AUDIT: i32 = 9;
const SET: u16 = 1001;
const ADD_RULE: u16 = 1011;
const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
const ERROR: u16 = 2;

/// Switches it on or off.
pub(crate) fn enable(on: bool) {
    // mask: the second field counts; then the switch itself; the rest of `struct audit_status` is not looked at.
    let mut status = [0_u32; 11];
    status[0] = 1;
    status[1] = u32::from(on);
    request(SET, &status);
}

/// Adds a rule by which no task that starts from now on is audited.
pub(crate) fn spare_new_tasks() {
    const FIXED_WORDS: usize = 3 + 4 * 64 + 1;
    // flags: the list that is asked when a task starts (1); action: never (0); no fields: all tasks.
    let mut rule = [0_u32; FIXED_WORDS];
    rule[0] = 1;
    request(ADD_RULE, &rule);
}

fn request(kind: u16, words: &[u32]) {
    // SAFETY: no memory is involved.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, AUDIT) };
    assert!(fd >= 0, "the kernel has audit");
    // SAFETY: a new descriptor that nobody else owns.
    let mut socket = unsafe { File::from_raw_fd(fd) };
    let length = u32::try_from(16 + 4 * words.len()).expect("short");
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    socket.write_all(&message).expect("root may change audit");
    let mut answer = [0; 4096];
    let length = socket.read(&mut answer).expect("an answer");
    assert!(length >= 20, "an acknowledgement");
    assert_eq!(answer[4..6], ERROR.to_ne_bytes(), "an acknowledgement");
    assert_eq!(answer[16..20], [0; 4], "accepted");
}
